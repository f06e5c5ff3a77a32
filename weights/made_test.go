package weights

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// madeModel returns a Llama of one block, filled with zeros.
func madeModel() Contents {
	m := Contents{
		Config:    []byte(`{"model_type": "llama"}`),
		Tokenizer: map[string][]byte{"tokenizer.json": []byte("{}")},
		Tensors:   map[string]Tensor{},
		Steps:     [][]string{{"embedding"}, {"block.0.attn_norm", "block.0.q", "block.0.k", "block.0.v", "block.0.o", "block.0.mlp_norm", "block.0.gate", "block.0.up", "block.0.down"}, {"final_norm"}},
	}
	add := func(name string, d tensor.DType, rows, cols int) {
		m.Tensors[name] = Tensor{Type: d, Rows: rows, Cols: cols, Data: bytes.NewReader(make([]byte, d.RowBytes(rows*cols)))}
	}
	add("embedding", tensor.Q8_0, 48, 32)
	for name, rows := range map[string]int{"q": 32, "k": 16, "v": 16, "o": 32, "gate": 64, "up": 64} {
		add("block.0."+name, tensor.Q4_0, rows, 32)
	}
	add("block.0.down", tensor.Q4_0, 32, 64)
	for _, name := range []string{"block.0.attn_norm", "block.0.mlp_norm", "final_norm"} {
		add(name, tensor.F32, 1, 32)
	}
	return m
}

func TestWrite(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "made.lever")
	if err := Write(t.Context(), madeModel(), dst, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Verify(t.Context(), dst, nil); err != nil {
		t.Error(err)
	}
	info, err := Inspect(dst)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, x := range info.Tensors {
		types[x.Name] = x.Type
	}
	if types["embedding"] != "q8_0" || types["block.0.down"] != "q4_0" || len(types) != 11 {
		t.Errorf("tensors %v", types)
	}
}

func TestWriteErrors(t *testing.T) {
	for name, spoil := range map[string]func(*Contents){
		"a tensor is missing":  func(m *Contents) { delete(m.Tensors, "block.0.q") },
		"one too many":         func(m *Contents) { m.Tensors["block.1.q"] = m.Tensors["block.0.q"] },
		"no configuration":     func(m *Contents) { m.Config = nil },
		"less data than shape": func(m *Contents) { giveData(m, bytes.NewReader(nil)) },
		"no data":              func(m *Contents) { giveData(m, nil) },
	} {
		m := madeModel()
		spoil(&m)
		dst := filepath.Join(t.TempDir(), "made.lever")
		if err := Write(t.Context(), m, dst, WriteOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if found, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), "*")); found != nil {
			t.Errorf("%s: %v is left", name, found)
		}
	}
	m := madeModel()
	giveData(&m, bytes.NewReader(nil))
	if err := Write(t.Context(), m, filepath.Join(t.TempDir(), "made.lever"), WriteOptions{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("data that ends early: %v", err)
	}
}

// giveData gives a tensor other data.
func giveData(m *Contents, data io.ReaderAt) {
	t := m.Tensors["block.0.q"]
	t.Data = data
	m.Tensors["block.0.q"] = t
}

// ownModel returns a model of an architecture of its own, and the values of its tensors.
func ownModel() (m Contents, values map[string][]byte) {
	m = Contents{
		Config:  []byte(`{"model_type": "own"}`),
		Tensors: map[string]Tensor{},
		Steps:   [][]string{{"embedding"}, {"one/gain", "one/mix"}, {"two/mix"}, {"final_norm", "head"}},
	}
	values = map[string][]byte{}
	add := func(name string, d tensor.DType, rows, cols int) {
		raw := make([]byte, d.RowBytes(rows*cols))
		if d == tensor.Q8_0 {
			for i := range raw {
				raw[i] = byte(i+len(m.Tensors)) & 0x3f // scales stay finite
			}
		}
		values[name] = raw
		m.Tensors[name] = Tensor{Type: d, Rows: rows, Cols: cols, Data: bytes.NewReader(raw)}
	}
	add("embedding", tensor.Q8_0, 48, 32)
	add("one/gain", tensor.F32, 1, 32)
	add("one/mix", tensor.Q8_0, 40, 32)
	add("two/mix", tensor.Q8_0, 32, 64)
	add("final_norm", tensor.F32, 1, 32)
	add("head", tensor.Q8_0, 48, 32)
	return m, values
}

// What is written of an architecture of one's own is streamed, in its order, pass after pass.
func TestWriteSteps(t *testing.T) {
	for _, tied := range []bool{false, true} {
		m, values := ownModel()
		names := slices.Concat(m.Steps[1:]...)
		if tied {
			delete(m.Tensors, "head")
			m.Steps[3] = m.Steps[3][:1]
			names[len(names)-1] = "embedding"
		}
		dst := filepath.Join(t.TempDir(), "own.lever")
		if err := Write(t.Context(), m, dst, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		store, err := Open(t.Context(), dst, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		info, err := Inspect(dst)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(info.Chunks), len(m.Steps); got != want {
			t.Errorf("%d chunks, not %d", got, want)
		}
		var order []string
		for _, x := range info.Tensors {
			order = append(order, x.Name)
		}
		if want := slices.Concat(m.Steps...); !slices.Equal(order, want) {
			t.Errorf("order %v, not %v", order, want)
		}
		s, err := store.Stream(t.Context(), StreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range 3 {
			for _, name := range names {
				for part, err := range s.Parts(t.Context(), name) {
					if err != nil {
						t.Fatal(err)
					}
					got := make([]byte, part.Type.RowBytes(part.Rows*part.Cols))
					if err := tensor.Unpack(got, part.Data, part.Type, part.Rows, part.Cols); err != nil {
						t.Fatal(err)
					}
					if from := part.Type.RowBytes(part.Row * part.Cols); !bytes.Equal(got, values[name][from:][:len(got)]) {
						t.Errorf("tied %v: %s is another tensor", tied, name)
					}
				}
			}
		}
	}
}

func TestWriteStepsErrors(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*Contents)
		want  string
	}{
		"missing":              {func(m *Contents) { delete(m.Tensors, "two/mix") }, "tensor two/mix: is listed in step 2 but missing; add it"},
		"head is missing":      {func(m *Contents) { delete(m.Tensors, "head") }, "tensor head: is listed in step 3 but missing"},
		"not listed":           {func(m *Contents) { m.Steps[2] = m.Steps[3]; m.Steps = m.Steps[:3] }, "tensor two/mix: is in no step; list it"},
		"listed twice":         {func(m *Contents) { m.Steps[2] = []string{"two/mix", "one/mix"} }, "tensor one/mix: is listed in step 1 and again in step 2; list it once"},
		"expert's table":       {func(m *Contents) { expertTable(m) }, "tensor table: is an expert's in the step of the tables"},
		"embedding not first":  {func(m *Contents) { m.Steps[0], m.Steps[1] = m.Steps[1], m.Steps[0] }, "tensor embedding: is not what the first of 4 steps begins with"},
		"empty step":           {func(m *Contents) { m.Steps[2] = nil }, "step 2 lists no tensors; leave it out"},
		"no steps":             {func(m *Contents) { m.Steps = [][]string{} }, "tensor embedding: is not what the first of 0 steps begins with"},
		"no configuration":     {func(m *Contents) { m.Config = []byte("[]") }, "no JSON object"},
		"no type":              {func(m *Contents) { change(m, func(t *Tensor) { t.Type = tensor.Invalid }) }, "tensor two/mix: has no type"},
		"unknown type":         {func(m *Contents) { change(m, func(t *Tensor) { t.Type = 200 }) }, "tensor two/mix: has no type"},
		"no rows":              {func(m *Contents) { change(m, func(t *Tensor) { t.Rows = 0 }) }, "tensor two/mix: has 0 rows"},
		"too wide":             {func(m *Contents) { change(m, func(t *Tensor) { t.Cols = maxCols + 32 }) }, "tensor two/mix: has 32 rows of"},
		"half a block":         {func(m *Contents) { change(m, func(t *Tensor) { t.Cols = 48 }) }, "tensor two/mix: has rows of 48"},
		"type without weights": {func(m *Contents) { change(m, func(t *Tensor) { t.Type = tensor.I32 }) }, "tensor two/mix: type i32"},
	} {
		m, _ := ownModel()
		test.spoil(&m)
		err := Write(t.Context(), m, filepath.Join(t.TempDir(), "own.lever"), WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

// change changes the description of a tensor.
func change(m *Contents, edit func(*Tensor)) {
	t := m.Tensors["two/mix"]
	edit(&t)
	m.Tensors["two/mix"] = t
}

func TestCanonicalConfigKeepsNumbers(t *testing.T) {
	got, err := canonicalConfig([]byte(`{"b": 1e-05, "a": 500000.0, "vocab_size": 12345678901234567}`), true)
	if want := `{"a":500000.0,"b":1e-05,"tie_word_embeddings":true,"vocab_size":12345678901234567}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// expertTable adds a table that is said to be an expert's.
func expertTable(m *Contents) {
	t := m.Tensors["embedding"]
	t.Expert = "one"
	m.Tensors["table"], m.Steps[0] = t, append(m.Steps[0], "table")
}
