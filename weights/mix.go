package weights

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/lever-go/lever/tensor"
)

// Mix gives the matrices that suffer most from few bits more of them than the rest.
type Mix struct {
	Name  string
	Type  tensor.DType // of matrices that no rule fits
	Rules []MixRule    // the last that fits a matrix decides
}

// MixRule is a rule of a [Mix].
type MixRule struct {
	Name string       // of matrices in the store, as in [TensorType]; it may fit none
	Type tensor.DType // one of [EncodableTypes]
	// Some restricts the rule to blocks in which errors count more: the first and the last eighth, and every third between.
	Some bool
}

// Mixes returns the mixes that have names. Which matrices get more bits, and in which blocks, follows the mixes of llama.cpp with these names: the
// values of attention, the second matrix of the feed-forward network, and the head.
func Mixes() []Mix {
	ends := func(d tensor.DType) []MixRule {
		return []MixRule{{Name: embeddingName, Type: d}, {Name: headName, Type: d}}
	}
	return []Mix{
		{"iq3_m", tensor.IQ3_S, append(ends(tensor.Q6_K),
			MixRule{Name: "block.*.v", Type: tensor.Q4_K}, MixRule{Name: "block.*.o", Type: tensor.IQ4_XS}, MixRule{Name: "block.*.down", Type: tensor.IQ4_XS, Some: true})},
		{"q3_k_m", tensor.Q3_K, append(ends(tensor.Q6_K),
			MixRule{Name: "block.*.v", Type: tensor.Q4_K}, MixRule{Name: "block.*.o", Type: tensor.Q4_K}, MixRule{Name: "block.*.down", Type: tensor.Q4_K, Some: true})},
		{"q4_k_m", tensor.Q4_K, append(ends(tensor.Q6_K),
			MixRule{Name: "block.*.v", Type: tensor.Q6_K, Some: true}, MixRule{Name: "block.*.down", Type: tensor.Q6_K, Some: true})},
	}
}

// FindMix returns the mix of that name; ok is false if there is none.
func FindMix(name string) (m Mix, ok bool) {
	all := Mixes()
	i := slices.IndexFunc(all, func(m Mix) bool { return m.Name == strings.ToLower(name) })
	if i < 0 {
		return Mix{}, false
	}
	return all[i], true
}

// check refuses types that matrices are not converted to, and patterns that are none.
func (m *Mix) check() error {
	for _, r := range append([]MixRule{{Name: "*", Type: m.Type}}, m.Rules...) {
		if !slices.Contains(EncodableTypes(), r.Type) {
			return fmt.Errorf("weights: write: mix %s: %s to type %v, not one of %v: %w", m.Name, r.Name, r.Type, EncodableTypes(), ErrUnsupported)
		}
		if _, err := path.Match(r.Name, ""); err != nil {
			return fmt.Errorf("weights: write: mix %s: type of %q: %w: %w", m.Name, r.Name, err, ErrArgument)
		}
	}
	return nil
}

// TypeOf returns the type of a matrix, by its name in the store, in a model of so many transformer blocks. Its rows fill blocks of that type.
func (m *Mix) TypeOf(name string, blocks int) tensor.DType {
	d := m.Type
	for _, r := range m.Rules {
		fits, _ := TensorType{Name: r.Name}.fits(name) // the pattern was checked
		if fits && (!r.Some || isSensitive(name, blocks)) {
			d = r.Type
		}
	}
	return d
}

// isSensitive reports whether a matrix belongs to a block that MixRule.Some means.
func isSensitive(name string, blocks int) bool {
	parts := strings.SplitN(name, ".", 3)
	if len(parts) < 3 || parts[0] != "block" {
		return false
	}
	i, err := strconv.Atoi(parts[1])
	return err == nil && (i < blocks/8 || i >= 7*blocks/8 || (i-blocks/8)%3 == 2)
}

// Uniform returns the types of a store that is written with [WriteOptions].Type d: the embedding and the head, which suffer most, are Q8_0 beside smaller
// types.
func Uniform(d tensor.DType) Mix {
	m := Mix{Name: d.String(), Type: d}
	if d.Quantized() {
		m.Rules = []MixRule{{Name: embeddingName, Type: tensor.Q8_0}, {Name: headName, Type: tensor.Q8_0}}
	}
	return m
}
