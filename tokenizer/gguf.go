package tokenizer

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/gguf"
)

// Kinds of tokens in tokenizer.ggml.token_type.
const (
	ggufControl     = 3
	ggufUserDefined = 4
	ggufUnused      = 5
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
	if model != "gpt2" {
		return nil, fmt.Errorf("tokenizer.ggml.model %q (only gpt2): %w", shorten(model), ErrUnsupported)
	}
	var d definition
	pre, err := lookup[string](m, "tokenizer.ggml.pre")
	if err != nil {
		return nil, err
	}
	switch pre {
	case "llama3", "llama-v3", "llama-bpe":
		d.split, d.ignoreMerges = []splitter{scanner(splitLlama3)}, true
	case "qwen2":
		d.split, d.normal = []splitter{scanner(splitQwen)}, normalizer{normalize}
	case "gpt-2", "gpt2":
		d.split = []splitter{scanner(splitGPT2)}
	default:
		return nil, fmt.Errorf("tokenizer.ggml.pre %q (known are llama-bpe, qwen2 and gpt-2): %w", shorten(pre), ErrUnsupported)
	}
	if err := d.readGGUFTokens(m); err != nil {
		return nil, err
	}
	t, err := d.build()
	if err != nil {
		return nil, err
	}
	if err := t.applyGGUFEnds(m, d.ignoreMerges); err != nil {
		return nil, err
	}
	return t, t.applyGGUFTemplates(m)
}

// readGGUFTokens fills in the tokens and the merges.
func (d *definition) readGGUFTokens(m metadata) error {
	texts, err := lookup[[]string](m, "tokenizer.ggml.tokens")
	if err != nil {
		return err
	}
	kinds, err := lookup[[]int32](m, "tokenizer.ggml.token_type")
	if err != nil {
		return err
	}
	if len(kinds) != len(texts) {
		return fmt.Errorf("tokenizer.ggml.token_type has %d entries, tokenizer.ggml.tokens %d: %w", len(kinds), len(texts), ErrInvalid)
	}
	for len(kinds) > 0 && kinds[len(kinds)-1] == ggufUnused {
		kinds = kinds[:len(kinds)-1]
	}
	texts = texts[:len(kinds)]

	ids := make(map[string]int32, len(texts))
	d.tokens = make([]string, len(texts))
	for id, text := range texts {
		switch kinds[id] {
		case ggufControl, ggufUserDefined:
			d.added = append(d.added, added{text: text, id: int32(id), control: kinds[id] == ggufControl})
		case ggufUnused:
		default:
			d.tokens[id] = fromByteLevel(text)
			ids[text] = int32(id)
		}
	}
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
	if _, ok := m["tokenizer.ggml.add_bos_token"]; ok {
		if t.addBOS, err = lookup[bool](m, "tokenizer.ggml.add_bos_token"); err != nil {
			return err
		}
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
