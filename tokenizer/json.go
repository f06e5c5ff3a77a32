package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/lever-go/lever/internal/plural"
)

// FromJSON makes a tokenizer from the content of a Hugging Face tokenizer.json: BPE of bytes, BPE of characters as SentencePiece has it, or
// a unigram model. A step that is not known gives [ErrUnsupported]. Stop tokens are those with well-known names; [Open] takes them from the
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

type jsonModel struct {
	Type                    string     `json:"type"`
	Dropout                 float64    `json:"dropout"`
	ContinuingSubwordPrefix string     `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string     `json:"end_of_word_suffix"`
	ByteFallback            bool       `json:"byte_fallback"`
	FuseUnknown             bool       `json:"fuse_unk"`
	IgnoreMerges            bool       `json:"ignore_merges"`
	UnknownToken            string     `json:"unk_token"`
	UnknownID               *int32     `json:"unk_id"` // of a unigram model
	Vocab                   jsonVocab  `json:"vocab"`
	Merges                  jsonMerges `json:"merges"`
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
				return fmt.Errorf("model.merges: merge %d has %s, not 2: %w", rank, plural.Of(len(pair), "part"), ErrInvalid)
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

// jsonVocab reads both forms of a vocabulary: token to id, and of a unigram model pairs of a token and its score.
type jsonVocab struct {
	ids    map[string]int32
	scores []float64 // nil in the first form
}

func (v *jsonVocab) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '[' {
		if err := json.Unmarshal(data, &v.ids); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
		return nil
	}
	var rows []jsonScored
	if err := json.Unmarshal(data, &rows); err != nil {
		return fmt.Errorf("model.vocab: %w", err)
	}
	v.ids, v.scores = make(map[string]int32, len(rows)), make([]float64, len(rows))
	for id, row := range rows {
		if _, again := v.ids[row.token]; again {
			return fmt.Errorf("model.vocab: token %q is there twice: %w", shorten(row.token), ErrInvalid)
		}
		v.ids[row.token], v.scores[id] = int32(id), row.score
	}
	return nil
}

// jsonScored is a token and its score.
type jsonScored struct {
	token string
	score float64
}

func (s *jsonScored) UnmarshalJSON(data []byte) error {
	pair := []any{&s.token, &s.score}
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a row of %s, not a token and a score: %w", plural.Of(len(pair), "value"), ErrInvalid)
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
	d, err := f.definition()
	if err != nil {
		return nil, err
	}
	t, err := d.build()
	if err != nil {
		return nil, err
	}
	return t, t.applyPostProcessor(f.PostProcessor)
}

// definition returns what the file says.
func (f *jsonFile) definition() (d definition, err error) {
	for _, a := range f.AddedTokens {
		d.added = append(d.added, added{text: a.Content, id: a.ID, control: a.Special, normalized: a.Normalized,
			left: a.LStrip, right: a.RStrip, word: a.SingleWord})
	}
	d.ignoreMerges = f.Model.IgnoreMerges
	s := steps{d: &d}
	if err = s.normalizer(f.Normalizer); err != nil {
		return d, fmt.Errorf("normalizer: %w", err)
	}
	if err = s.preTokenizer(f.PreTokenizer); err != nil {
		return d, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err = s.check(); err != nil {
		return d, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err = s.decoder(f.Decoder); err != nil {
		return d, fmt.Errorf("decoder: %w", err)
	}
	texts, err := tokenTable(f.Model.Vocab.ids, d.added)
	if err != nil {
		return d, err
	}
	if s.byteLevel {
		for id, text := range texts {
			texts[id] = fromByteLevel(text)
		}
		d.tokens = texts
	} else if err = f.Model.pieces(&d, texts); err != nil {
		return d, fmt.Errorf("model: %w", err)
	}
	d.merges, err = mergeTable(f.Model.Merges, func(token string) (int32, bool) {
		id, ok := f.Model.Vocab.ids[token]
		return id, ok
	})
	if err != nil {
		return d, fmt.Errorf("model.merges: %w", err)
	}
	return d, nil
}

// pieces fills in a vocabulary of characters.
func (m *jsonModel) pieces(d *definition, texts []string) error {
	p := d.pieces
	p.byteFallback, p.fuseUnknown, p.unknown = m.ByteFallback, m.FuseUnknown || m.Type == "Unigram", -1
	if id, ok := m.Vocab.ids[m.UnknownToken]; ok && m.UnknownToken != "" {
		p.unknown = id
	}
	if m.UnknownID != nil {
		if p.unknown = *m.UnknownID; p.unknown < 0 || int(p.unknown) >= len(texts) {
			return fmt.Errorf("unk_id %d, in a vocabulary of %d: %w", p.unknown, len(texts), ErrInvalid)
		}
	}
	d.setTokens(texts, func(id int) bool {
		_, ok := m.Vocab.ids[texts[id]]
		return ok && int32(id) != p.unknown
	})
	switch {
	case m.Type == "Unigram":
		scores := make([]float64, len(texts))
		copy(scores, m.Vocab.scores)
		d.unigram = newUnigram(d.index, scores)
	case !d.ignoreMerges: // with which a whole piece counts
		d.split = append(d.split, newSeams(d.index))
	}
	return nil
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
		tokens[id] = token
	}
	return tokens, nil
}

func (m *jsonModel) check() error {
	switch {
	case m.Type != "BPE" && m.Type != "Unigram" && m.Type != "":
		return fmt.Errorf("type %q (known are BPE and Unigram): %w", shorten(m.Type), ErrUnsupported)
	case m.Dropout != 0:
		return fmt.Errorf("dropout %v: %w", m.Dropout, ErrUnsupported)
	case m.ContinuingSubwordPrefix != "":
		return fmt.Errorf("continuing_subword_prefix %q: %w", shorten(m.ContinuingSubwordPrefix), ErrUnsupported)
	case m.EndOfWordSuffix != "":
		return fmt.Errorf("end_of_word_suffix %q: %w", shorten(m.EndOfWordSuffix), ErrUnsupported)
	case len(m.Vocab.ids) == 0:
		return fmt.Errorf("no vocab: %w", ErrInvalid)
	case m.Type == "Unigram" && m.Vocab.scores == nil:
		return fmt.Errorf("a unigram model without scores: %w", ErrInvalid)
	}
	return nil
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
