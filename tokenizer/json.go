package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// FromJSON makes a tokenizer from the content of a Hugging Face tokenizer.json that describes byte-level BPE. What the file
// asks for beyond that gives [ErrUnsupported]. Stop tokens are those with well-known names; [Open] takes them from the
// model's other files.
func FromJSON(data []byte) (*Tokenizer, error) {
	t, err := fromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return t, nil
}

type jsonFile struct {
	AddedTokens []struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer    *jsonStep       `json:"normalizer"`
	PreTokenizer  *jsonStep       `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       *jsonStep       `json:"decoder"`
	Model         jsonModel       `json:"model"`
}

// jsonStep is a normalizer, a pre-tokenizer or a decoder.
type jsonStep struct {
	Type           string     `json:"type"`
	Normalizers    []jsonStep `json:"normalizers"`
	PreTokenizers  []jsonStep `json:"pretokenizers"`
	Decoders       []jsonStep `json:"decoders"`
	Behavior       string     `json:"behavior"`
	Invert         bool       `json:"invert"`
	AddPrefixSpace bool       `json:"add_prefix_space"`
	UseRegex       *bool      `json:"use_regex"` // true where absent
	Pattern        struct {
		Regex  *string `json:"Regex"`
		String *string `json:"String"`
	} `json:"pattern"`
}

type jsonModel struct {
	Type                    string           `json:"type"`
	Dropout                 float64          `json:"dropout"`
	ContinuingSubwordPrefix string           `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string           `json:"end_of_word_suffix"`
	ByteFallback            bool             `json:"byte_fallback"`
	IgnoreMerges            bool             `json:"ignore_merges"`
	Vocab                   map[string]int32 `json:"vocab"`
	Merges                  jsonMerges       `json:"merges"`
}

// jsonMerges reads both forms of the list of merges: "a b" and ["a", "b"].
type jsonMerges [][2]string

func (m *jsonMerges) UnmarshalJSON(data []byte) error {
	inner := bytes.TrimLeft(data, "[ \t\r\n")
	if len(inner) == 0 || inner[0] != '"' || bytes.Count(data[:len(data)-len(inner)], []byte("[")) > 1 {
		var pairs [][]string
		if err := json.Unmarshal(data, &pairs); err != nil {
			return fmt.Errorf("model.merges: %w", err)
		}
		*m = make(jsonMerges, 0, len(pairs))
		for rank, pair := range pairs {
			if len(pair) != 2 {
				return fmt.Errorf("model.merges: merge %d has %d parts, not 2: %w", rank, len(pair), ErrInvalid)
			}
			*m = append(*m, [2]string{pair[0], pair[1]})
		}
		return nil
	}
	var lines []string
	if err := json.Unmarshal(data, &lines); err != nil {
		return fmt.Errorf("model.merges: %w", err)
	}
	*m = make(jsonMerges, 0, len(lines))
	for rank, line := range lines {
		pair, err := cutMerge(rank, line)
		if err != nil {
			return fmt.Errorf("model.merges: %w", err)
		}
		*m = append(*m, pair)
	}
	return nil
}

func fromJSON(data []byte) (*Tokenizer, error) {
	var f jsonFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, jsonError(err)
	}
	if err := f.Model.check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	d := definition{ignoreMerges: f.Model.IgnoreMerges}
	var err error
	if d.nfc, err = f.Normalizer.normalizer(); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if d.split, err = f.PreTokenizer.preTokenizer(); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err := f.Decoder.decoder(); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}

	vocab := f.Model.Vocab
	d.merges, err = mergeTable(f.Model.Merges, func(token string) (int32, bool) {
		id, ok := vocab[token]
		return id, ok
	})
	if err != nil {
		return nil, fmt.Errorf("model.merges: %w", err)
	}
	for _, a := range f.AddedTokens {
		if a.SingleWord || a.LStrip || a.RStrip {
			return nil, fmt.Errorf("added token %q has single_word, lstrip or rstrip: %w", shorten(a.Content), ErrUnsupported)
		}
		d.added = append(d.added, added{text: a.Content, id: a.ID, control: a.Special, normalized: a.Normalized})
	}
	if d.tokens, err = tokenTable(vocab, d.added); err != nil {
		return nil, err
	}
	t, err := d.build()
	if err != nil {
		return nil, err
	}
	return t, t.applyPostProcessor(f.PostProcessor)
}

// jsonError marks an error of package json as one of the file's form.
func jsonError(err error) error {
	return fmt.Errorf("%w: %w", err, ErrInvalid)
}

// tokenTable lists the tokens by id. The ids of a real vocabulary leave few gaps; a table much longer than the number of
// tokens is refused.
func tokenTable(vocab map[string]int32, extra []added) ([]string, error) {
	size := int32(0)
	limit := int32(min(2*(len(vocab)+len(extra))+1024, 1<<30))
	grow := func(token string, id int32) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("token %q has id %d, in a vocabulary of %d: %w", shorten(token), id, len(vocab)+len(extra), ErrInvalid)
		}
		size = max(size, id+1)
		return nil
	}
	for token, id := range vocab {
		if err := grow(token, id); err != nil {
			return nil, err
		}
	}
	for _, a := range extra {
		if err := grow(a.text, a.id); err != nil {
			return nil, err
		}
	}
	tokens := make([]string, size)
	for token, id := range vocab {
		if tokens[id] != "" {
			return nil, fmt.Errorf("token %q and another have the same id %d: %w", shorten(token), id, ErrInvalid)
		}
		tokens[id] = fromByteLevel(token)
	}
	return tokens, nil
}

func (m *jsonModel) check() error {
	switch {
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("type %q (only BPE): %w", shorten(m.Type), ErrUnsupported)
	case m.Dropout != 0:
		return fmt.Errorf("dropout %v: %w", m.Dropout, ErrUnsupported)
	case m.ContinuingSubwordPrefix != "":
		return fmt.Errorf("continuing_subword_prefix %q: %w", shorten(m.ContinuingSubwordPrefix), ErrUnsupported)
	case m.EndOfWordSuffix != "":
		return fmt.Errorf("end_of_word_suffix %q: %w", shorten(m.EndOfWordSuffix), ErrUnsupported)
	case m.ByteFallback:
		return fmt.Errorf("byte_fallback: %w", ErrUnsupported)
	case len(m.Vocab) == 0:
		return fmt.Errorf("no vocab: %w", ErrInvalid)
	}
	return nil
}

// normalizer reports whether text is brought to NFC.
func (s *jsonStep) normalizer() (nfc bool, err error) {
	switch {
	case s == nil:
		return false, nil
	case s.Type == "NFC":
		return true, nil
	case s.Type == "Sequence":
		for i := range s.Normalizers {
			step, err := s.Normalizers[i].normalizer()
			if err != nil {
				return false, err
			}
			nfc = nfc || step
		}
		return nfc, nil
	}
	return false, fmt.Errorf("type %q (only NFC): %w", shorten(s.Type), ErrUnsupported)
}

// preTokenizer returns the scanner for a ByteLevel step with its own pattern, or for a Split step followed by a ByteLevel
// step without.
func (s *jsonStep) preTokenizer() (splitter, error) {
	if s == nil {
		return nil, fmt.Errorf("none: %w", ErrUnsupported)
	}
	steps := []jsonStep{*s}
	if s.Type == "Sequence" {
		steps = s.PreTokenizers
	}
	if len(steps) == 0 || len(steps) > 2 {
		return nil, fmt.Errorf("a sequence of %d steps: %w", len(steps), ErrUnsupported)
	}
	level := steps[len(steps)-1]
	ownPattern := level.UseRegex == nil || *level.UseRegex
	switch {
	case level.Type != "ByteLevel":
		return nil, fmt.Errorf("last step of type %q (only ByteLevel): %w", shorten(level.Type), ErrUnsupported)
	case level.AddPrefixSpace:
		return nil, fmt.Errorf("add_prefix_space: %w", ErrUnsupported)
	case len(steps) == 1 && ownPattern:
		return splitGPT2, nil
	case len(steps) == 1 || ownPattern:
		return nil, fmt.Errorf("ByteLevel with use_regex %v among %d steps: %w", ownPattern, len(steps), ErrUnsupported)
	}
	first := steps[0]
	switch {
	case first.Type != "Split":
		return nil, fmt.Errorf("first step of type %q (only Split): %w", shorten(first.Type), ErrUnsupported)
	case first.Behavior != "Isolated" || first.Invert:
		return nil, fmt.Errorf("a Split with behavior %q, invert %v: %w", shorten(first.Behavior), first.Invert, ErrUnsupported)
	case first.Pattern.Regex == nil:
		return nil, fmt.Errorf("a Split at a string: %w", ErrUnsupported)
	}
	return splitterFor(*first.Pattern.Regex)
}

// decoder checks that tokens are decoded as bytes.
func (s *jsonStep) decoder() error {
	switch {
	case s == nil || s.Type == "ByteLevel":
		return nil
	case s.Type == "Sequence" && len(s.Decoders) == 1:
		return s.Decoders[0].decoder()
	}
	return fmt.Errorf("type %q (only ByteLevel): %w", shorten(s.Type), ErrUnsupported)
}

// applyPostProcessor finds out whether a TemplateProcessing step begins a text with a special token. A file without a post-processor does
// not say.
func (t *Tokenizer) applyPostProcessor(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	type step struct {
		Type   string `json:"type"`
		Single []struct {
			SpecialToken *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
		} `json:"single"`
	}
	var post *struct {
		step
		Processors []step `json:"processors"`
	}
	if err := json.Unmarshal(raw, &post); err != nil {
		return fmt.Errorf("post_processor: %w", jsonError(err))
	}
	if post == nil {
		return nil
	}
	t.addBOS = false
	for _, s := range append(post.Processors, post.step) {
		if s.Type != "TemplateProcessing" || len(s.Single) == 0 || s.Single[0].SpecialToken == nil {
			continue
		}
		name := s.Single[0].SpecialToken.ID
		id, ok := t.Special(name)
		if !ok {
			return fmt.Errorf("post_processor: %q is not an added token: %w", shorten(name), ErrInvalid)
		}
		t.bos, t.addBOS = id, true
	}
	return nil
}
