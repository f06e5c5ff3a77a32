package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
)

// model is a small random model, from which tests make source files. Matrices are [rows][cols], in Hugging Face's order.
type model struct {
	arch   architecture
	tied   bool
	config map[string]any
	values map[string][]float32 // by name in the store
}

// smallArch has sizes that are no multiples of a tile where they may.
var smallArch = architecture{hidden: 64, ffn: 96, vocab: 50, layers: 2, heads: 3, kvHeads: 1, headDim: 32}

func newModel(arch architecture, tied bool) *model {
	name, kind := "LlamaForCausalLM", "llama"
	if arch.qkNorm {
		name, kind = "Qwen3ForCausalLM", "qwen3"
	}
	m := &model{arch: arch, tied: tied, values: map[string][]float32{}, config: map[string]any{
		"architectures": []string{name}, "model_type": kind, "hidden_size": arch.hidden, "intermediate_size": arch.ffn, "vocab_size": arch.vocab,
		"num_hidden_layers": arch.layers, "num_attention_heads": arch.heads, "num_key_value_heads": arch.kvHeads, "head_dim": arch.headDim,
		"rms_norm_eps": 1e-5, "rope_theta": 500000, "rope_scaling": nil, "tie_word_embeddings": tied, "max_position_embeddings": 128,
		"hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
	}}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, r := range m.roles() {
		x := make([]float32, r.rows*r.cols)
		for i := range x {
			// An F16 value with few digits, so that F32, F16 and BF16 sources hold the same numbers.
			x[i] = float32(rng.IntN(255)-127) / 64
		}
		m.values[r.name] = x
	}
	return m
}

func (m *model) roles() []role { return slices.Concat(m.arch.steps(m.tied)...) }

// encode returns the values of a tensor in type d.
func (m *model) encode(t testing.TB, name string, d tensor.DType) []byte {
	t.Helper()
	x := m.values[name]
	raw := make([]byte, d.RowBytes(len(x)))
	if err := tensor.Encode(raw, x, d); err != nil {
		t.Fatal(err)
	}
	return raw
}

// hfTensor is a tensor in a safetensors file.
type hfTensor struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
	data    []byte
}

// hf returns the tensors as a safetensors file has them.
func (m *model) hf(t testing.TB, d tensor.DType) map[string]hfTensor {
	t.Helper()
	names := map[tensor.DType]string{tensor.F32: "F32", tensor.F16: "F16", tensor.BF16: "BF16"}
	all := map[string]hfTensor{}
	for _, r := range m.roles() {
		shape := []int{r.rows, r.cols}
		if r.vector {
			shape = shape[1:]
		}
		all[r.hf] = hfTensor{DType: names[d], Shape: shape, data: m.encode(t, r.name, d)}
	}
	return all
}

// writeHF writes a model folder, with its tensors in one file or, by turns, in shards.
func (m *model) writeHF(t testing.TB, tensors map[string]hfTensor, shards int) string {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(m.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "config.json"), config)
	writeFile(t, filepath.Join(dir, "tokenizer.json"), []byte(`{"model":{}}`))
	writeFile(t, filepath.Join(dir, "README.md"), []byte("not for the store"))
	if shards <= 1 {
		writeFile(t, filepath.Join(dir, "model.safetensors"), safetensorsFile(t, tensors))
		return dir
	}
	parts := make([]map[string]hfTensor, shards)
	index := map[string]string{}
	for i, name := range slices.Sorted(maps.Keys(tensors)) {
		s := i % shards
		if parts[s] == nil {
			parts[s] = map[string]hfTensor{}
		}
		parts[s][name] = tensors[name]
		index[name] = fmt.Sprintf("model-%05d.safetensors", s)
	}
	for s, part := range parts {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("model-%05d.safetensors", s)), safetensorsFile(t, part))
	}
	raw, err := json.Marshal(map[string]any{"weight_map": index})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "model.safetensors.index.json"), raw)
	return dir
}

func safetensorsFile(t testing.TB, tensors map[string]hfTensor) []byte {
	t.Helper()
	header := map[string]hfTensor{}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		e := tensors[name]
		e.Offsets = [2]int{len(data), len(data) + len(e.data)}
		data = append(data, e.data...)
		header[name] = e
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(file, text...), data...)
}

// gguf returns the content of a GGUF file of the model, with matrices of type d and norms of type F32.
func (m *model) gguf(t testing.TB, d tensor.DType) gguf.Content {
	t.Helper()
	a := m.arch
	name := m.config["model_type"].(string)
	meta := map[string]any{
		"general.architecture": name, "general.alignment": uint32(64), "general.name": "small",
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": []string{"a", "b"}, "tokenizer.ggml.bos_token_id": uint32(0),
		"tokenizer.ggml.eos_token_id": uint32(1),
	}
	for key, value := range map[string]any{
		"block_count": uint32(a.layers), "context_length": uint32(128), "embedding_length": uint32(a.hidden), "feed_forward_length": uint32(a.ffn),
		"attention.head_count": uint32(a.heads), "attention.head_count_kv": uint32(a.kvHeads), "attention.key_length": uint32(a.headDim),
		"attention.value_length": uint32(a.headDim), "rope.dimension_count": uint32(a.headDim), "rope.freq_base": float32(500000),
		"attention.layer_norm_rms_epsilon": float32(1e-5), "vocab_size": uint32(a.vocab),
	} {
		meta[name+"."+key] = value
	}
	c := gguf.Content{Metadata: meta}
	for _, r := range m.roles() {
		x := gguf.Tensor{Name: r.gguf, Shape: []int{r.cols, r.rows}, Type: d}
		if r.vector {
			x.Shape, x.Type = x.Shape[:1], tensor.F32
		}
		x.Data = m.encode(t, r.name, x.Type)
		if r.rotaryHeads && name == "llama" {
			x.Data = interleave(x.Data, r.rows, a.headDim)
		}
		c.Tensors = append(c.Tensors, x)
	}
	return c
}

// interleave puts rows of heads into the order of llama.cpp: the two halves of a head by turns.
func interleave(data []byte, rows, headDim int) []byte {
	var out []byte
	size := len(data) / rows
	for head := 0; head < rows; head += headDim {
		for i := range headDim / 2 {
			for _, row := range []int{head + i, head + headDim/2 + i} {
				out = append(out, data[row*size:][:size]...)
			}
		}
	}
	return out
}

func writeGGUF(t testing.TB, c gguf.Content) string {
	t.Helper()
	var buf bytes.Buffer
	if err := gguf.Write(&buf, c); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	writeFile(t, path, buf.Bytes())
	return path
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

// convert makes a store of src in a new folder.
func convert(t testing.TB, src string, d tensor.DType) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "model.lever")
	if err := Convert(t.Context(), src, dst, ConvertOptions{Type: d}); err != nil {
		t.Fatal(err)
	}
	return dst
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
