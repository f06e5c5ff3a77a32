package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// refused checks that src cannot be converted, that the error is of a kind and has every text, and that nothing is left.
func refused(t *testing.T, src string, kind error, texts ...string) {
	t.Helper()
	dir := t.TempDir()
	err := Convert(t.Context(), src, filepath.Join(dir, "x.lever"), weights.WriteOptions{})
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q lacks %q", err, text)
		}
	}
	onlyEntries(t, dir)
}

// TestTextPart: of a model for images and text, the part for text is read, and the others are named.
func TestTextPart(t *testing.T) {
	var r reference
	if err := json.Unmarshal(readFile(t, "testdata/reference/gemma3-images.json"), &r); err != nil {
		t.Fatal(err)
	}
	m := r.model(t)
	tensors := r.prefixed(m.hf(t, tensor.F32))
	tensors["multi_modal_projector.norm.weight"] = tensors["vision_tower.patch.weight"]
	info, err := Inspect(m.writeHF(t, tensors, 1), weights.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"the model is used for text alone, and these parts of it are not: multi_modal_projector, vision_tower"}; !slices.Equal(info.Notes, want) {
		t.Errorf("notes %q, want %q", info.Notes, want)
	}
	tensors["language_model.model.layers.0.self_attn.sinks"] = tensors["vision_tower.patch.weight"]
	refused(t, m.writeHF(t, tensors, 1), weights.ErrUnsupported, "model.layers.0.self_attn.sinks", "does not belong")
}

func TestBadHuggingFaceFolders(t *testing.T) {
	const up = "model.layers.1.mlp.up_proj.weight"
	tests := []struct {
		name  string
		spoil func(c map[string]any, ts map[string]hfTensor)
		kind  error
		texts []string
	}{
		{"missing tensor", func(_ map[string]any, ts map[string]hfTensor) { delete(ts, up) }, weights.ErrCorrupt, []string{up, "missing"}},
		{"wrong shape", func(_ map[string]any, ts map[string]hfTensor) {
			x := ts[up]
			x.Shape = []int{x.Shape[1], x.Shape[0]}
			ts[up] = x
		}, weights.ErrCorrupt, []string{up, "64 rows of 96"}},
		{"three dimensions", func(_ map[string]any, ts map[string]hfTensor) {
			x := ts[up]
			x.Shape = append(x.Shape, 1)
			ts[up] = x
		}, weights.ErrCorrupt, []string{up}},
		{"extra matrix", func(_ map[string]any, ts map[string]hfTensor) { ts["adapter.weight"] = ts[up] }, weights.ErrUnsupported, []string{"adapter.weight"}},
		{"bias", func(_ map[string]any, ts map[string]hfTensor) {
			ts["model.layers.0.self_attn.q_proj.bias"] = ts["model.norm.weight"]
		}, weights.ErrUnsupported, []string{"q_proj.bias", "biases"}},
		{"unknown type", func(_ map[string]any, ts map[string]hfTensor) {
			x := ts[up]
			x.DType = "F8_E8M0"
			ts[up] = x
		}, weights.ErrUnsupported, []string{up, "F8_E8M0"}},
		{"integers", func(_ map[string]any, ts map[string]hfTensor) {
			x := ts[up]
			x.DType, x.data = "I32", append(x.data, x.data...)
			ts[up] = x
		}, weights.ErrUnsupported, []string{up, "i32"}},
		{"unknown architecture", func(c map[string]any, _ map[string]hfTensor) { c["architectures"] = []string{"MambaForCausalLM"} }, weights.ErrUnsupported, []string{"MambaForCausalLM", "config.json"}},
		{"no architecture", func(c map[string]any, _ map[string]hfTensor) { delete(c, "architectures"); delete(c, "model_type") }, weights.ErrUnsupported, []string{"config.json"}},
		{"no width", func(c map[string]any, _ map[string]hfTensor) { delete(c, "hidden_size") }, weights.ErrCorrupt, []string{"hidden_size"}},
		{"absurd layers", func(c map[string]any, _ map[string]hfTensor) { c["num_hidden_layers"] = 1 << 40 }, weights.ErrCorrupt, []string{"num_hidden_layers"}},
		{"one layer more", func(c map[string]any, _ map[string]hfTensor) { c["num_hidden_layers"] = 3 }, weights.ErrCorrupt, []string{"model.layers.2", "missing"}},
		{"one layer less", func(c map[string]any, _ map[string]hfTensor) { c["num_hidden_layers"] = 1 }, weights.ErrUnsupported, []string{"model.layers.1"}},
		{"text as number", func(c map[string]any, _ map[string]hfTensor) { c["hidden_size"] = "64" }, weights.ErrCorrupt, []string{"config.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(small, false)
			tensors := m.hf(t, tensor.BF16)
			tt.spoil(m.config, tensors)
			refused(t, m.writeHF(t, tensors, 1), tt.kind, tt.texts...)
		})
	}
}

func TestBadSafetensorsFiles(t *testing.T) {
	m := newModel(small, false)
	good := safetensorsFile(t, m.hf(t, tensor.BF16))
	for name, tt := range map[string]struct {
		raw  []byte
		kind error
	}{
		"truncated header": {good[:100], weights.ErrTruncated},
		"truncated data":   {good[:len(good)-1], weights.ErrTruncated},
		"empty":            {nil, weights.ErrTruncated},
	} {
		dir := m.writeHF(t, m.hf(t, tensor.BF16), 1)
		writeFile(t, filepath.Join(dir, "model.safetensors"), tt.raw)
		t.Run(name, func(t *testing.T) { refused(t, dir, tt.kind, "model.safetensors") })
	}
	dir := m.writeHF(t, m.hf(t, tensor.BF16), 2)
	if err := os.Remove(filepath.Join(dir, "model-00001.safetensors")); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, fs.ErrNotExist, "model-00001.safetensors")
	refused(t, t.TempDir(), fs.ErrNotExist, "config.json")
	refused(t, filepath.Join(dir, "none"), fs.ErrNotExist, "none")
}

func TestBadGGUFFiles(t *testing.T) {
	const up = "blk.1.ffn_up.weight"
	tests := []struct {
		name  string
		spoil func(c *gguf.Content)
		kind  error
		texts []string
	}{
		{"unknown architecture", func(c *gguf.Content) { c.Metadata[archKey] = "mamba" }, weights.ErrUnsupported, []string{"mamba"}},
		{"no architecture", func(c *gguf.Content) { delete(c.Metadata, archKey) }, weights.ErrUnsupported, []string{"architecture"}},
		{"missing key", func(c *gguf.Content) { delete(c.Metadata, "llama.block_count") }, weights.ErrCorrupt, []string{"llama.block_count", "missing"}},
		{"wrong kind of value", func(c *gguf.Content) { c.Metadata["llama.block_count"] = "two" }, weights.ErrCorrupt, []string{"llama.block_count"}},
		{"missing tensor", func(c *gguf.Content) { drop(c, up) }, weights.ErrCorrupt, []string{up, "missing"}},
		{"missing embedding", func(c *gguf.Content) { drop(c, "token_embd.weight") }, weights.ErrCorrupt, []string{"token_embd.weight"}},
		{"wrong shape", func(c *gguf.Content) { slices.Reverse(find(c, up).Shape) }, weights.ErrCorrupt, []string{up}},
		{"extra matrix", func(c *gguf.Content) {
			x := *find(c, up)
			x.Name = "blk.0.extra.weight"
			c.Tensors = append(c.Tensors, x)
		}, weights.ErrUnsupported, []string{"blk.0.extra.weight"}},
		{"bias", func(c *gguf.Content) {
			x := *find(c, "output_norm.weight")
			x.Name = "blk.0.attn_q.bias"
			c.Tensors = append(c.Tensors, x)
		}, weights.ErrUnsupported, []string{"attn_q.bias", "biases"}},
		{"experts", func(c *gguf.Content) { c.Metadata["llama.expert_count"] = uint32(8) }, weights.ErrUnsupported, []string{"expert_count = 8"}},
		{"layers that differ", func(c *gguf.Content) { c.Metadata["llama.attention.head_count_kv"] = []int32{1, 0} }, weights.ErrUnsupported, []string{"head_count_kv = [1 0]"}},
		{"partial rotation", func(c *gguf.Content) { c.Metadata["llama.rope.dimension_count"] = uint32(16) }, weights.ErrUnsupported, []string{"partial_rotary_factor = 0.5"}},
		{"split file", func(c *gguf.Content) { c.Metadata["split.count"] = uint16(3) }, weights.ErrUnsupported, []string{"part 1 of 3", "00001-of-00003"}},
		{"bad eps", func(c *gguf.Content) { c.Metadata["llama.attention.layer_norm_rms_epsilon"] = float32(-1) }, weights.ErrCorrupt, []string{"epsilon"}},
		{"no tokenizer", func(c *gguf.Content) { delete(c.Metadata, tokenizerKey) }, weights.ErrUnsupported, []string{"no tokenizer", "tokenizer.json"}},
		{"bad rope factors", func(c *gguf.Content) {
			c.Tensors = append(c.Tensors, gguf.Tensor{Name: ropeFreqsTensor, Shape: []int{16}, Type: tensor.F32, Data: make([]byte, 64)})
		}, weights.ErrCorrupt, []string{ropeFreqsTensor}},
		{"rope factors of another size", func(c *gguf.Content) {
			c.Tensors = append(c.Tensors, gguf.Tensor{Name: ropeFreqsTensor, Shape: []int{4}, Type: tensor.F32, Data: make([]byte, 16)})
		}, weights.ErrCorrupt, []string{ropeFreqsTensor}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newModel(small, false).gguf(t, tensor.F16)
			tt.spoil(&c)
			refused(t, writeGGUF(t, c), tt.kind, append(tt.texts, "model.gguf")...)
		})
	}
	path := writeGGUF(t, newModel(small, false).gguf(t, tensor.F16))
	raw := readFile(t, path)
	writeFile(t, path, raw[:len(raw)/2])
	refused(t, path, weights.ErrTruncated, path)
	writeFile(t, path, []byte("not a model at all"))
	refused(t, path, weights.ErrCorrupt, path)
}

func find(c *gguf.Content, name string) *gguf.Tensor {
	i := slices.IndexFunc(c.Tensors, func(x gguf.Tensor) bool { return x.Name == name })
	return &c.Tensors[i]
}

func drop(c *gguf.Content, name string) {
	c.Tensors = slices.DeleteFunc(c.Tensors, func(x gguf.Tensor) bool { return x.Name == name })
}

// Every row of a head has one place in a GGUF file.
func TestInterleaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		headDim := 2 * rapid.IntRange(1, 64).Draw(t, "half")
		heads := rapid.IntRange(1, 4).Draw(t, "heads")
		rows := make([]byte, heads*headDim)
		for i := range rows {
			rows[i] = byte(rand.IntN(256))
		}
		there := interleave(rows, len(rows), headDim)
		got := make([]byte, len(rows))
		from := rapid.IntRange(0, len(rows)-1).Draw(t, "from")
		n, err := interleaved{bytes.NewReader(there), 1, headDim}.ReadAt(got[from:], int64(from))
		if n != len(rows)-from || err != nil || !bytes.Equal(got[from:], rows[from:]) {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}

// FuzzConfig feeds a config.json to a folder whose tensors are good.
func FuzzConfig(f *testing.F) {
	m := newModel(small, true)
	text, err := json.Marshal(m.config)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"architectures":["LlamaForCausalLM"],"hidden_size":1e99}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		m, err := parse(config, "config.json", nil)
		if err == nil && len(m.Steps) > 1<<9+2 {
			t.Fatalf("%d steps", len(m.Steps))
		}
		if err != nil && !errors.Is(err, weights.ErrCorrupt) && !errors.Is(err, weights.ErrUnsupported) {
			t.Fatalf("untyped error %v", err)
		}
	})
}

// A GGUF file is judged by its header, before the rest of it is there.
func TestCheckGGUF(t *testing.T) {
	c := newModel(small, false).gguf(t, tensor.F16)
	accept := func(fs.FS) error { return nil }
	check := func(c gguf.Content, tokenizer func(fs.FS) error) error {
		file, err := os.Open(writeGGUF(t, c))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		const header = 64 << 10 // what is read at a time
		return CheckGGUF(beginning{file, header}, info.Size(), "model.gguf", tokenizer)
	}
	if err := check(c, accept); err != nil {
		t.Error(err)
	}
	odd := errors.New("odd tokenizer")
	if err := check(c, func(files fs.FS) error {
		if _, err := fs.Stat(files, "tokenizer.gguf"); err != nil {
			t.Error(err)
		}
		return odd
	}); !errors.Is(err, odd) {
		t.Errorf("got %v", err)
	}
	c.Metadata["llama.attention.sliding_window"] = uint32(512)
	if err := check(c, accept); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), "model.gguf: metadata key llama.attention.sliding_window = 512") {
		t.Errorf("got %v", err)
	}
}

// beginning has the first bytes of a file alone.
type beginning struct {
	io.ReaderAt
	size int64
}

func (b beginning) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > b.size {
		return 0, errors.New("read behind the beginning")
	}
	return b.ReaderAt.ReadAt(p, offset)
}
