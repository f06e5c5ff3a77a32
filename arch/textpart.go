package arch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
)

// TextPart describes models for images or sounds and text, of which the part for text alone is read: one of the given architectures. Their
// configuration keeps what it says of that part in text_config, or among the other keys if there is none.
func TextPart(name, class string, of ...*Architecture) *Architecture {
	return &Architecture{Name: name, Class: class, Parse: func(v *Values) (*Model, error) {
		return v.textPart(of)
	}}
}

// textPart reads the part for text, of one of the given architectures.
func (v *Values) textPart(of []*Architecture) (*Model, error) {
	a, text := of[0], &Values{values: v.values}
	if v.Has("text_config") {
		text = &Values{}
		v.Decode("text_config", &text.values, "an object")
		if v.err != nil {
			return nil, v.err
		}
		var err error
		if a, err = text.partOf(of); err != nil {
			return nil, fmt.Errorf("text_config: %w", err)
		}
		v.setTied(text)
	}
	m, err := a.read(text)
	for key := range v.values {
		v.ask(key) // the other parts are not built
	}
	if err != nil && v.Has("text_config") {
		return nil, fmt.Errorf("text_config: %w", err)
	}
	if err != nil {
		return nil, err
	}
	m.TextPart = true
	return m, nil
}

// partOf returns which of the architectures text_config names.
func (v *Values) partOf(of []*Architecture) (*Architecture, error) {
	kind := of[0].Name
	v.Text("model_type", &kind)
	if v.err != nil {
		return nil, v.err
	}
	kind = strings.TrimSuffix(kind, "_text")
	i := slices.IndexFunc(of, func(a *Architecture) bool { return strings.TrimSuffix(a.Name, "_text") == kind })
	if i >= 0 {
		return of[i], nil
	}
	var known []string
	for _, a := range of {
		known = append(known, a.Name)
	}
	return nil, Unsupported("model_type = %s; known are %s", fileerr.Quote(kind), strings.Join(known, ", "))
}

// setTied makes one statement of two about whether the head is the embedding: that of the whole model counts, if there is one.
func (v *Values) setTied(text *Values) {
	const key = "tie_word_embeddings"
	for _, pair := range [][2]map[string]json.RawMessage{{text.values, v.values}, {v.values, text.values}} {
		if raw, ok := pair[1][key]; ok {
			pair[0][key] = raw
		}
	}
}

// textPositions makes of positions in images and time those of text, which has the same in each of them.
func (v *Values) textPositions() {
	v.ask("mrope_section") // where GGUF files say it
	v.editRope(func(rope map[string]any) {
		for _, kind := range []string{"type", "rope_type"} {
			if rope[kind] == "mrope" {
				rope[kind] = "default"
			}
		}
		delete(rope, "mrope_section")
		delete(rope, "mrope_interleaved")
	})
}
