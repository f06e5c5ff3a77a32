package weights

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// madeModel returns a Llama of one block, filled with zeros.
func madeModel() Model {
	m := Model{
		Config: []byte(`{"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "vocab_size": 48, "num_hidden_layers": 1,
			"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}`),
		Tokenizer: map[string][]byte{"tokenizer.json": []byte("{}")},
		Tensors:   map[string]Tensor{},
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
	if err := Write(t.Context(), madeModel(), dst, ConvertOptions{}); err != nil {
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
	for name, spoil := range map[string]func(*Model){
		"a tensor is missing":  func(m *Model) { delete(m.Tensors, "block.0.q") },
		"one too many":         func(m *Model) { m.Tensors["block.1.q"] = m.Tensors["block.0.q"] },
		"another shape":        func(m *Model) { m.Tensors["block.0.q"] = m.Tensors["block.0.down"] },
		"no configuration":     func(m *Model) { m.Config = nil },
		"less data than shape": func(m *Model) { giveData(m, bytes.NewReader(nil)) },
		"no data":              func(m *Model) { giveData(m, nil) },
	} {
		m := madeModel()
		spoil(&m)
		dst := filepath.Join(t.TempDir(), "made.lever")
		if err := Write(t.Context(), m, dst, ConvertOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if found, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), "*")); found != nil {
			t.Errorf("%s: %v is left", name, found)
		}
	}
	m := madeModel()
	giveData(&m, bytes.NewReader(nil))
	if err := Write(t.Context(), m, filepath.Join(t.TempDir(), "made.lever"), ConvertOptions{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("data that ends early: %v", err)
	}
}

// giveData gives a tensor other data.
func giveData(m *Model, data io.ReaderAt) {
	t := m.Tensors["block.0.q"]
	t.Data = data
	m.Tensors["block.0.q"] = t
}
