package weights

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// shape is the size of a dense model.
type shape struct{ hidden, ffn, vocab, layers, heads, kvHeads, headDim int }

// smallShape has sizes that are no multiples of a tile where they may, bigShape fills several segments per block.
var (
	smallShape = shape{hidden: 64, ffn: 96, vocab: 50, layers: 2, heads: 3, kvHeads: 1, headDim: 32}
	bigShape   = shape{hidden: 1024, ffn: 3072, vocab: 3000, layers: 2, heads: 8, kvHeads: 2, headDim: 128}
)

// steps returns the tensors of each step.
func (s shape) steps(tied bool) [][]role {
	vector := func(name string, n int) role { return role{name: name, rows: 1, cols: n, vector: true} }
	matrix := func(name string, rows, cols int) role { return role{name: name, rows: rows, cols: cols} }
	steps := [][]role{{matrix(embeddingName, s.vocab, s.hidden)}}
	for i := range s.layers {
		block := fmt.Sprintf("block.%d.", i)
		steps = append(steps, []role{
			vector(block+"attn_norm", s.hidden), matrix(block+"q", s.heads*s.headDim, s.hidden), matrix(block+"k", s.kvHeads*s.headDim, s.hidden),
			matrix(block+"v", s.kvHeads*s.headDim, s.hidden), matrix(block+"o", s.hidden, s.heads*s.headDim),
			vector(block+"mlp_norm", s.hidden), matrix(block+"gate", s.ffn, s.hidden), matrix(block+"up", s.ffn, s.hidden), matrix(block+"down", s.hidden, s.ffn),
		})
	}
	last := []role{vector(finalNormName, s.hidden)}
	if !tied {
		last = append(last, matrix(headName, s.vocab, s.hidden))
	}
	return append(steps, last)
}

// model is a small random model, of which tests make stores.
type model struct {
	shape  shape
	tied   bool
	values map[string][]float32
}

func newModel(s shape, tied bool) *model {
	m := &model{shape: s, tied: tied, values: map[string][]float32{}}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, r := range m.roles() {
		x := make([]float32, r.rows*r.cols)
		for i := range x {
			x[i] = float32(rng.IntN(255)-127) / 64 // with few digits, so that F16 holds it
		}
		m.values[r.name] = x
	}
	return m
}

func (m *model) roles() []role { return slices.Concat(m.shape.steps(m.tied)...) }

// made returns the model with tensors of type d.
func (m *model) made(t testing.TB, d tensor.DType) Contents {
	t.Helper()
	made := Contents{
		Config:    []byte(`{"model_type": "llama"}`),
		Tokenizer: map[string][]byte{"tokenizer.json": []byte(`{"model":{}}`), "config.json": []byte(`{}`)},
		Tensors:   map[string]Tensor{},
	}
	for _, step := range m.shape.steps(m.tied) {
		var names []string
		for _, r := range step {
			raw := make([]byte, d.RowBytes(r.rows*r.cols))
			if err := tensor.Encode(raw, m.values[r.name], d); err != nil {
				t.Fatal(err)
			}
			made.Tensors[r.name] = Tensor{Type: d, Rows: r.rows, Cols: r.cols, Data: bytes.NewReader(raw)}
			names = append(names, r.name)
		}
		made.Steps = append(made.Steps, names)
	}
	return made
}

// makeStore makes a store of m in a new folder.
func makeStore(t testing.TB, m Contents, d tensor.DType) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "model.lever")
	if err := Write(t.Context(), m, dst, WriteOptions{Type: d}); err != nil {
		t.Fatal(err)
	}
	return dst
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func resident(t testing.TB, dir string) *Resident {
	t.Helper()
	r, err := open(t, dir).Resident(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// rowMajor returns a stored tensor in its own type, rows in order.
func rowMajor(t testing.TB, r *Resident, name string) (raw []byte, d tensor.DType) {
	t.Helper()
	for p, err := range r.Parts(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]byte, p.Rows*p.Type.RowBytes(p.Cols))
		if err := tensor.Unpack(rows, p.Data, p.Type, p.Rows, p.Cols); err != nil {
			t.Fatal(err)
		}
		raw, d = append(raw, rows...), p.Type
	}
	return raw, d
}

// numbers returns a stored tensor as numbers.
func numbers(t testing.TB, r *Resident, name string) ([]float32, tensor.DType) {
	t.Helper()
	raw, d := rowMajor(t, r, name)
	x := make([]float32, len(raw)/d.BlockBytes()*d.BlockElems())
	if err := tensor.Decode(x, raw, d); err != nil {
		t.Fatal(err)
	}
	return x, d
}
