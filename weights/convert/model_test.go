package convert

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
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// model is a small random model, from which tests make source files. Matrices are [rows][cols], in Hugging Face's order.
type model struct {
	arch      arch.Transformer
	described *arch.Model
	tied      bool
	config    map[string]any
	values    map[string][]float32 // by name in the store
}

// small has sizes that are no multiples of a tile where they may.
var small = arch.Transformer{Width: 64, FFN: 96, Vocab: 50, Layers: 2, Heads: 3, KVHeads: 1, HeadDim: 32}

func newModel(a arch.Transformer, tied bool) *model {
	name, kind := arch.Llama.Class, arch.Llama.Name
	if a.QKNorm {
		name, kind = arch.Qwen3.Class, arch.Qwen3.Name
	}
	m := &model{arch: a, tied: tied, values: map[string][]float32{}, config: map[string]any{
		"architectures": []string{name}, "model_type": kind, "hidden_size": a.Width, "intermediate_size": a.FFN, "vocab_size": a.Vocab,
		"num_hidden_layers": a.Layers, "num_attention_heads": a.Heads, "num_key_value_heads": a.KVHeads, "head_dim": a.HeadDim,
		"rms_norm_eps": 1e-5, "rope_theta": 500000, "rope_scaling": nil, "tie_word_embeddings": tied, "max_position_embeddings": 128,
		"hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
	}}
	a.NormEps, a.MaxPositions, a.Rope.Theta = 1e-5, 128, 500000
	var err error
	if m.described, err = a.Model(); err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, r := range m.tensors() {
		x := make([]float32, r.Rows*r.Cols)
		for i := range x {
			// An F16 value with few digits, so that F32, F16 and BF16 sources hold the same numbers.
			x[i] = float32(rng.IntN(255)-127) / 64
		}
		m.values[r.Name] = x
	}
	return m
}

// tensors returns the tensors of the model.
func (m *model) tensors() []arch.Tensor {
	all := slices.Concat(m.described.Steps...)
	return slices.DeleteFunc(all, func(t arch.Tensor) bool { return m.tied && t.Name == arch.Head })
}

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

// shifted returns the values of a tensor with by added, in type d.
func (m *model) shifted(t testing.TB, name string, by float32, d tensor.DType) []byte {
	t.Helper()
	x := slices.Clone(m.values[name])
	for i := range x {
		x[i] += by
	}
	raw := make([]byte, d.RowBytes(len(x)))
	if err := tensor.Encode(raw, x, d); err != nil {
		t.Fatal(err)
	}
	return raw
}

// kernel returns the columns of a vector that files keep as a matrix, such as the weights of a convolution, and 0 for others.
func (m *model) kernel(x arch.Tensor) int {
	switch c := m.described.Config.(type) {
	case *arch.Transformer:
		if strings.HasSuffix(x.Name, ".conv") {
			return c.Kernel
		}
	case *arch.Gemma3nTransformer:
		switch x.Name[strings.LastIndex(x.Name, ".")+1:] {
		case "router":
			return c.Width
		case "predict", "correct":
			return c.Streams
		}
	}
	return 0
}

// isStacked reports whether GGUF files keep a matrix as one of several in a tensor of three dimensions.
func isStacked(x arch.Tensor) bool { return x.Expert != "" || strings.HasPrefix(x.Name, "altup.") }

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
	for _, r := range m.tensors() {
		shape := []int{r.Rows, r.Cols}
		if r.Vector && r.Expert == "" {
			shape = shape[1:]
		}
		if kernel := m.kernel(r); kernel > 0 {
			if shape = []int{r.Cols / kernel, kernel}; strings.HasSuffix(r.Name, ".conv") {
				shape = []int{r.Cols / kernel, 1, kernel}
			}
		}
		data := m.encode(t, r.Name, d)
		if r.HFOffset != 0 {
			data = m.shifted(t, r.Name, -r.HFOffset, d)
		}
		if before, ok := all[r.HF]; ok { // the parts stand one after the other in Steps, too
			shape[0], data = before.Shape[0]+r.Rows, append(before.data, data...)
		}
		all[r.HF] = hfTensor{DType: names[d], Shape: shape, data: data}
	}
	if m.described.Architecture == arch.GPTOSS {
		quantizeMXFP4(all)
	}
	for _, x := range m.described.Unused {
		all[x.HF] = hfTensor{DType: "F32", Shape: []int{x.Rows, x.Cols}[isVector(x):], data: make([]byte, 4*x.Rows*x.Cols)}
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
		"block_count": uint32(a.Layers), "context_length": uint32(128), "embedding_length": uint32(a.Width), "feed_forward_length": uint32(a.FFN),
		"attention.head_count": uint32(a.Heads), "attention.head_count_kv": uint32(a.KVHeads), "attention.key_length": uint32(a.HeadDim),
		"attention.value_length": uint32(a.HeadDim), "rope.dimension_count": uint32(a.HeadDim), "rope.freq_base": float32(500000),
		"attention.layer_norm_rms_epsilon": float32(1e-5), "vocab_size": uint32(a.Vocab),
	} {
		meta[name+"."+key] = value
	}
	c := gguf.Content{Metadata: meta}
	for _, r := range m.tensors() {
		x := gguf.Tensor{Name: r.GGUF, Shape: []int{r.Cols, r.Rows}, Type: d}
		if r.Vector {
			x.Shape, x.Type = x.Shape[:1], tensor.F32
		}
		x.Data = m.encode(t, r.Name, x.Type)
		if name == "llama" && (strings.HasSuffix(r.Name, ".q") || strings.HasSuffix(r.Name, ".k")) {
			x.Data = interleave(x.Data, r.Rows, a.HeadDim)
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

// makeStore makes a store of src in a new folder.
func makeStore(t testing.TB, src string, d tensor.DType) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "model.lever")
	if err := Convert(t.Context(), src, dst, weights.WriteOptions{Type: d}); err != nil {
		t.Fatal(err)
	}
	return dst
}

func open(t testing.TB, dir string) *weights.Store {
	t.Helper()
	s, err := weights.Open(t.Context(), dir, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func resident(t testing.TB, dir string) *weights.Resident {
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
func rowMajor(t testing.TB, r *weights.Resident, name string) (raw []byte, d tensor.DType) {
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
func numbers(t testing.TB, r *weights.Resident, name string) ([]float32, tensor.DType) {
	t.Helper()
	raw, d := rowMajor(t, r, name)
	x := make([]float32, len(raw)/d.BlockBytes()*d.BlockElems())
	if err := tensor.Decode(x, raw, d); err != nil {
		t.Fatal(err)
	}
	return x, d
}
