package tokenizer

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/plural"
)

// FromGGUF makes a tokenizer from the metadata of a GGUF file: the keys tokenizer.ggml.* and tokenizer.chat_template. Arrays
// are []string and []int32; scalars are strings, booleans and integers of any width.
func FromGGUF(meta map[string]any) (*Tokenizer, error) {
	t, err := fromGGUF(meta)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: GGUF metadata: %w", err)
	}
	t.addEndOfTurn()
	return t, nil
}

func fromGGUF(meta map[string]any) (*Tokenizer, error) {
	m := metadata(meta)
	model, err := lookup[string](m, "tokenizer.ggml.model")
	if err != nil {
		return nil, err
	}
	var d definition
	addBOS := false
	switch model {
	case "gpt2":
		d, addBOS, err = ggufBytes(m)
	case "llama", "t5":
		d, err = ggufSentencePiece(m, model == "t5")
		addBOS = model == "llama"
	case "gemma4":
		d, err = ggufCharacters(m)
		addBOS = true
	default:
		err = fmt.Errorf("tokenizer.ggml.model %q (known are gpt2, llama, gemma4 and t5): %w", shorten(model), ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	t, err := d.build()
	if err != nil {
		return nil, err
	}
	if err := t.applyGGUFEnds(m, addBOS); err != nil {
		return nil, err
	}
	return t, t.applyGGUFTemplates(m)
}

// ggufBytes returns a byte-level vocabulary. addBOS is what holds where the metadata does not say.
func ggufBytes(m metadata) (d definition, addBOS bool, err error) {
	name, err := lookup[string](m, "tokenizer.ggml.pre")
	if err != nil {
		return d, false, err
	}
	pre, err := d.preTokenizer(name)
	if err != nil {
		return d, false, err
	}
	return d, pre.addBOS, d.readGGUFTokens(m)
}

// ggufSentencePiece returns a vocabulary with scores: a unigram model, or one whose tokens merge in the order of their scores.
func ggufSentencePiece(m metadata, unigram bool) (d definition, err error) {
	s := sentencePiece{unigram: unigram}
	if s.texts, s.kinds, err = m.ggufPieces(); err != nil {
		return d, err
	}
	if s.scores, err = lookup[[]float32](m, "tokenizer.ggml.scores"); err != nil {
		return d, err
	}
	if len(s.scores) < len(s.texts) {
		return d, fmt.Errorf("tokenizer.ggml.scores has %s, tokenizer.ggml.tokens %d: %w", plural.Of(len(s.scores), "entry"), len(s.texts), ErrInvalid)
	}
	prefix := !unigram
	if err = m.set("tokenizer.ggml.add_space_prefix", &prefix); err != nil {
		return d, err
	}
	if prefix {
		s.prefix = prefixEach
	}
	if err = m.set("tokenizer.ggml.remove_extra_whitespaces", &s.collapse); err != nil {
		return d, err
	}
	switch charsmap := m["tokenizer.ggml.precompiled_charsmap"].(type) {
	case nil:
	case []uint8:
		s.charsmap = charsmap
	case []int8:
		for _, b := range charsmap {
			s.charsmap = append(s.charsmap, byte(b))
		}
	default:
		return d, fmt.Errorf("tokenizer.ggml.precompiled_charsmap is a %T, not a list of bytes: %w", charsmap, ErrInvalid)
	}
	return s.definition()
}

// ggufCharacters returns a vocabulary of characters with a list of merges.
func ggufCharacters(m metadata) (d definition, err error) {
	s := sentencePiece{}
	if s.texts, s.kinds, err = m.ggufPieces(); err != nil {
		return d, err
	}
	s.scores = make([]float32, len(s.texts))
	if d, err = s.definition(); err != nil {
		return d, err
	}
	ids := make(map[string]int32, len(s.texts))
	for id, text := range s.texts {
		ids[text] = int32(id)
	}
	return d, d.readGGUFMerges(m, ids)
}

// ggufPieces returns the texts and the kinds of the tokens, without unused ones at the end.
func (m metadata) ggufPieces() (texts []string, kinds []pieceKind, err error) {
	if texts, err = lookup[[]string](m, "tokenizer.ggml.tokens"); err != nil {
		return nil, nil, err
	}
	numbers, err := lookup[[]int32](m, "tokenizer.ggml.token_type")
	if err != nil {
		return nil, nil, err
	}
	if len(numbers) != len(texts) {
		return nil, nil, fmt.Errorf("tokenizer.ggml.token_type has %s, tokenizer.ggml.tokens %d: %w", plural.Of(len(numbers), "entry"), len(texts), ErrInvalid)
	}
	for len(numbers) > 0 && pieceKind(numbers[len(numbers)-1]) == unusedPiece {
		numbers = numbers[:len(numbers)-1]
	}
	for _, n := range numbers {
		kinds = append(kinds, pieceKind(n))
	}
	return texts[:len(kinds)], kinds, nil
}

// readGGUFTokens fills in the tokens and the merges.
func (d *definition) readGGUFTokens(m metadata) error {
	texts, kinds, err := m.ggufPieces()
	if err != nil {
		return err
	}
	ids := make(map[string]int32, len(texts))
	d.tokens = make([]string, len(texts))
	for id, text := range texts {
		switch kinds[id] {
		case controlPiece, userDefinedPiece:
			d.added = append(d.added, added{text: text, id: int32(id), control: kinds[id] == controlPiece})
		case unusedPiece:
		default:
			d.tokens[id] = fromByteLevel(text)
			ids[text] = int32(id)
		}
	}
	return d.readGGUFMerges(m, ids)
}

// readGGUFMerges fills in the merges of the tokens with these ids.
func (d *definition) readGGUFMerges(m metadata, ids map[string]int32) error {
	lines, err := lookup[[]string](m, "tokenizer.ggml.merges")
	if err != nil {
		return err
	}
	rules := make([][2]string, len(lines))
	for rank, line := range lines {
		if rules[rank], err = cutMerge(rank, line); err != nil {
			return fmt.Errorf("tokenizer.ggml.merges: %w", err)
		}
	}
	d.merges, err = mergeTable(rules, func(token string) (int32, bool) {
		id, ok := ids[token]
		return id, ok
	})
	if err != nil {
		return fmt.Errorf("tokenizer.ggml.merges: %w", err)
	}
	return nil
}

// applyGGUFEnds sets the tokens that begin and end a text. Stop tokens with well-known names stay: the metadata names one
// where models have several. addBOS is what holds where the metadata does not say.
func (t *Tokenizer) applyGGUFEnds(m metadata, addBOS bool) error {
	bos, hasBOS, err := m.id("tokenizer.ggml.bos_token_id", t.Size())
	if err != nil {
		return err
	}
	if hasBOS {
		t.bos = bos
	}
	t.addBOS = addBOS
	if err := m.set("tokenizer.ggml.add_bos_token", &t.addBOS); err != nil {
		return err
	}
	named := t.eos
	t.eos = nil
	for _, key := range []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} {
		id, ok, err := m.id(key, t.Size())
		if err != nil {
			return err
		}
		if ok {
			t.addEOS(id)
		}
	}
	if len(t.eos) > 0 {
		t.eosToken = t.eos[0]
	}
	for _, id := range named {
		t.addEOS(id)
	}
	return nil
}

// applyGGUFTemplates takes over the default template and the named ones.
func (t *Tokenizer) applyGGUFTemplates(m metadata) error {
	const key = "tokenizer.chat_template"
	for k := range m {
		name, named := strings.CutPrefix(k, key+".")
		if k != key && !named {
			continue
		}
		source, err := lookup[string](m, k)
		if err != nil {
			return err
		}
		if !named {
			name = defaultTemplate
		}
		t.setTemplate(name, source)
	}
	return nil
}

// metadata gives typed access to GGUF metadata.
type metadata map[string]any

func lookup[T any](m metadata, key string) (T, error) {
	value, ok := m[key].(T)
	if _, present := m[key]; !present {
		return value, fmt.Errorf("%s is missing: %w", key, ErrInvalid)
	}
	if !ok {
		return value, fmt.Errorf("%s is a %T, not a %T: %w", key, m[key], value, ErrInvalid)
	}
	return value, nil
}

// set takes over a truth value, if there is one.
func (m metadata) set(key string, to *bool) (err error) {
	if _, ok := m[key]; ok {
		*to, err = lookup[bool](m, key)
	}
	return err
}

// id returns a token id below size.
func (m metadata) id(key string, size int) (id int32, ok bool, err error) {
	value, present := m[key]
	if !present {
		return 0, false, nil
	}
	n, ok := integer(value)
	if !ok {
		return 0, false, fmt.Errorf("%s is a %T, not an integer: %w", key, value, ErrInvalid)
	}
	if n < 0 || n >= int64(size) {
		return 0, false, fmt.Errorf("%s is %v, in a vocabulary of %d: %w", key, value, size, ErrInvalid)
	}
	return int32(n), true, nil
}

// integer returns an integer of any width; one that does not fit is −1.
func integer(value any) (n int64, ok bool) {
	switch v := value.(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint64:
		if v > 1<<62 {
			return -1, true
		}
		return int64(v), true
	case int64:
		return v, true
	case int:
		return int64(v), true
	}
	return 0, false
}

// fromGGUFFile makes a tokenizer from the content of a GGUF file.
func fromGGUFFile(data []byte) (*Tokenizer, error) {
	f, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	return fromGGUF(f.Metadata)
}
