package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// bf16Tensors reads a safetensors file of BF16 without any of the code under test.
func bf16Tensors(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	raw := readFile(t, path)
	n := binary.LittleEndian.Uint64(raw)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{}
	for name, text := range header {
		var e hfTensor
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		data := raw[8+int(n)+e.Offsets[0] : 8+int(n)+e.Offsets[1]]
		x := make([]float32, len(data)/2)
		for i := range x {
			x[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
		}
		all[name] = x
	}
	return all
}

// quantError bounds the error of a value in a block whose largest magnitude is amax.
func quantError(d tensor.DType, x, amax float64) float64 {
	const f16 = 1.0 / 2048 // half a unit in the last place of an F16 scale
	switch d {
	case tensor.Q8_0:
		return amax/127*0.5 + amax*f16*1.01
	case tensor.Q4_0: // the value opposite to the largest is cut off at 7/8
		return amax/8 + amax*f16*1.01
	case tensor.F16:
		return math.Abs(x)*f16 + 0x1p-25
	}
	return 0
}

func TestSharedModels(t *testing.T) {
	for _, name := range []string{"lever-tiny-llama/target", "lever-tiny-llama/draft", "qwen3-random"} {
		dir := testdata.Shared(t, "models/"+name)
		want := bf16Tensors(t, filepath.Join(dir, "model.safetensors"))
		for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.F16} {
			t.Run(name+"/"+d.String(), func(t *testing.T) {
				store := makeStore(t, dir, d)
				r := resident(t, store)
				described, err := arch.Parse(open(t, store).Config())
				if err != nil {
					t.Fatal(err)
				}
				for _, role := range slices.Concat(described.Steps...) {
					if role.Name == arch.Head {
						continue // the models are tied
					}
					got, stored := numbers(t, r, role.Name)
					w := want[role.HF]
					expected := d
					switch {
					case role.Vector:
						expected = tensor.F32
					case d == tensor.Q4_0 && role.Name == arch.Embedding:
						expected = tensor.Q8_0
					}
					if stored != expected || len(got) != len(w) {
						t.Fatalf("%s: %d values of %v, want %d of %v", role.Name, len(got), stored, len(w), expected)
					}
					for b := 0; b < len(w); b += 32 {
						amax := 0.0
						for _, x := range w[b : b+32] {
							amax = max(amax, math.Abs(float64(x)))
						}
						for i := b; i < b+32; i++ {
							if e := math.Abs(float64(got[i]) - float64(w[i])); e > quantError(stored, float64(w[i]), amax) {
								t.Fatalf("%s[%d]: %v stored as %v", role.Name, i, w[i], got[i])
							}
						}
					}
				}
				for _, file := range []string{"tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"} {
					stored, err := fs.ReadFile(open(t, store).FS(), file)
					if err != nil || !bytes.Equal(stored, readFile(t, filepath.Join(dir, file))) {
						t.Errorf("%s is not the same (%v)", file, err)
					}
				}
			})
		}
	}
}

// chunkFiles returns the chunks of a store.
func chunkFiles(t *testing.T, dir string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "chunks", "*.bin"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no chunks", err)
	}
	var all [][]byte
	for _, p := range paths {
		all = append(all, readFile(t, p))
	}
	return all
}

// A store does not depend on the format that its weights came in.
func TestSourcesGiveTheSameStore(t *testing.T) {
	qwen := small
	qwen.QKNorm = true
	for _, m := range []*model{newModel(small, false), newModel(small, true), newModel(qwen, false)} {
		for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.F16} {
			name := fmt.Sprintf("%s/tied=%v/%v", m.config["model_type"], m.tied, d)
			t.Run(name, func(t *testing.T) {
				want := chunkFiles(t, makeStore(t, m.writeHF(t, m.hf(t, tensor.F32), 1), d))
				old := m.gguf(t, tensor.BF16)
				old.Version = 2
				sources := map[string]string{
					"hf f16":       m.writeHF(t, m.hf(t, tensor.F16), 1),
					"hf bf16":      m.writeHF(t, m.hf(t, tensor.BF16), 1),
					"hf sharded":   m.writeHF(t, m.hf(t, tensor.BF16), 3),
					"gguf f32":     writeGGUF(t, m.gguf(t, tensor.F32)),
					"gguf f16":     writeGGUF(t, m.gguf(t, tensor.F16)),
					"gguf v2 bf16": writeGGUF(t, old),
				}
				if d == tensor.Q8_0 {
					sources["gguf q8_0"] = writeGGUF(t, m.gguf(t, tensor.Q8_0))
				}
				for source, path := range sources {
					if !reflect.DeepEqual(chunkFiles(t, makeStore(t, path, d)), want) {
						t.Errorf("%s differs", source)
					}
				}
			})
		}
	}
}

// wide has rows that fill blocks of 256.
var wide = arch.Transformer{Width: 256, FFN: 512, Vocab: 40, Layers: 1, Heads: 2, KVHeads: 1, HeadDim: 128}

// blocks returns random bytes as a tensor of type d whose scales are finite.
func blocks(d tensor.DType, elems int) []byte {
	raw := make([]byte, d.RowBytes(elems))
	for i := range raw {
		raw[i] = byte(i*i>>3+i) & 0x3F // small exponents wherever the scales lie
	}
	return raw
}

func TestBlocksPassThrough(t *testing.T) {
	m := newModel(wide, false)
	type test struct {
		have, want       tensor.DType
		matrix, embedded tensor.DType // types in the store
	}
	tests := []test{
		{tensor.F16, tensor.Invalid, tensor.Q8_0, tensor.Q8_0},
		{tensor.Q4_0, tensor.Q4_0, tensor.Q4_0, tensor.Q4_0},
		{tensor.Q6_K, tensor.Q4_0, tensor.Q4_0, tensor.Q6_K},
		{tensor.Q5_K, tensor.Q4_0, tensor.Q4_0, tensor.Q5_K},
		{tensor.Q5_1, tensor.Q4_0, tensor.Q4_0, tensor.Q8_0},
		{tensor.F16, tensor.IQ3_XXS, tensor.IQ3_XXS, tensor.Q8_0},
		{tensor.Q4_K, tensor.Q8_0, tensor.Q8_0, tensor.Q8_0},
		{tensor.Q6_K, tensor.F16, tensor.F16, tensor.F16},
	}
	for _, d := range tensor.Types() {
		switch {
		case d.Quantized() && tensor.Packable(d):
			tests = append(tests, test{d, tensor.Invalid, d, d})
		case d.Quantized():
			tests = append(tests, test{d, tensor.Invalid, tensor.Q8_0, tensor.Q8_0})
		}
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v to %v", tt.have, tt.want), func(t *testing.T) {
			c := m.gguf(t, tensor.F32)
			for i, x := range c.Tensors {
				if len(x.Shape) == 2 {
					c.Tensors[i].Type, c.Tensors[i].Data = tt.have, blocks(tt.have, x.Shape[0]*x.Shape[1])
				}
			}
			r := resident(t, makeStore(t, writeGGUF(t, c), tt.want))
			for i, role := range m.tensors() {
				raw, d := rowMajor(t, r, role.Name)
				want := tt.matrix
				switch {
				case role.Vector:
					want = tensor.F32
				case role.Name == arch.Embedding || role.Name == arch.Head:
					want = tt.embedded
				}
				if d != want {
					t.Errorf("%s is %v, want %v", role.Name, d, want)
				}
				have := c.Tensors[i].Data
				if strings.HasSuffix(role.Name, ".q") || strings.HasSuffix(role.Name, ".k") {
					raw = interleave(raw, role.Rows, m.arch.HeadDim)
				}
				if d == c.Tensors[i].Type && !bytes.Equal(raw, have) {
					t.Errorf("%s: blocks changed", role.Name)
				}
			}
		})
	}
}

func config(t *testing.T, dir string) map[string]any {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal(open(t, dir).Config(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfig(t *testing.T) {
	m := newModel(small, false)
	hf := config(t, makeStore(t, m.writeHF(t, m.hf(t, tensor.F32), 1), tensor.Q8_0))
	c := m.gguf(t, tensor.F32)
	delete(c.Metadata, "llama.vocab_size")
	delete(c.Metadata, "llama.rope.dimension_count")
	fromGGUF := config(t, makeStore(t, writeGGUF(t, c), tensor.Q8_0))
	if fromGGUF["bos_token_id"] != 0.0 || fromGGUF["eos_token_id"] != 1.0 {
		t.Errorf("special tokens in %v", fromGGUF)
	}
	delete(fromGGUF, "bos_token_id")
	delete(fromGGUF, "eos_token_id")
	if !reflect.DeepEqual(hf, fromGGUF) {
		t.Errorf("from Hugging Face\n%v, from GGUF\n%v", hf, fromGGUF)
	}

	factors := make([]float32, small.HeadDim/2)
	for i := range factors {
		factors[i] = 1 + float32(i)/4
	}
	raw := make([]byte, 4*len(factors))
	if err := tensor.Encode(raw, factors, tensor.F32); err != nil {
		t.Fatal(err)
	}
	c.Tensors = append(c.Tensors, gguf.Tensor{Name: ropeFreqsTensor, Shape: []int{len(factors)}, Type: tensor.F32, Data: raw})
	scaling, _ := config(t, makeStore(t, writeGGUF(t, c), tensor.Q8_0))["rope_scaling"].(map[string]any)
	list, _ := scaling["factors"].([]any)
	if scaling["rope_type"] != "factors" || len(list) != len(factors) || list[3] != 1.75 {
		t.Errorf("rope scaling %v", scaling)
	}
	c.Tensors = c.Tensors[:len(c.Tensors)-1]
	for key, want := range map[string]string{"rope.scaling.foreign": "rope.scaling.foreign = 4", "rope.scale_linear": "rope.scale_linear = 4"} {
		c.Metadata["llama."+key] = float32(4)
		if err := Convert(t.Context(), writeGGUF(t, c), filepath.Join(t.TempDir(), "x.lever"), weights.WriteOptions{}); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", key, err, want)
		}
		delete(c.Metadata, "llama."+key)
	}
	for _, unused := range []struct {
		key   string
		value any
	}{{"rope.scaling.type", "none"}, {"rope.scaling.factor", float32(4)}, {"expert_count", uint32(0)}, {"rope.scale_linear", float32(1)}, {"attention.causal", true}} {
		c.Metadata["llama."+unused.key] = unused.value
	}
	if err := Convert(t.Context(), writeGGUF(t, c), filepath.Join(t.TempDir(), "x.lever"), weights.WriteOptions{}); err != nil {
		t.Errorf("keys that ask for nothing: %v", err)
	}
}

func TestTied(t *testing.T) {
	tests := []struct {
		name   string
		flag   any // tie_word_embeddings; if nil, absent
		head   bool
		tied   bool
		refuse bool
	}{
		{"flag", true, false, true, false},
		{"flag with another head", true, true, false, false},
		{"head", false, true, false, false},
		{"head alone", nil, true, false, false},
		{"nothing", nil, false, true, false},
		{"head missing", false, false, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(small, !tt.head)
			delete(m.config, "tie_word_embeddings")
			if tt.flag != nil {
				m.config["tie_word_embeddings"] = tt.flag
			}
			dst := filepath.Join(t.TempDir(), "x.lever")
			src := m.writeHF(t, m.hf(t, tensor.F32), 1)
			err := Convert(t.Context(), src, dst, weights.WriteOptions{})
			if tt.refuse {
				if !errors.Is(err, weights.ErrCorrupt) || !strings.Contains(err.Error(), "lm_head.weight") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, _, _, hasHead := resident(t, dst).Shape(arch.Head)
			if got := config(t, dst)["tie_word_embeddings"]; got != tt.tied || hasHead == tt.tied {
				t.Errorf("tie_word_embeddings %v, head %v", got, hasHead)
			}
			info, err := Inspect(src, weights.WriteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if differs := tt.flag == true && !tt.tied; differs != (len(info.Notes) == 1 && strings.Contains(info.Notes[0], "lm_head.weight is kept")) {
				t.Errorf("notes %q", info.Notes)
			}
		})
	}
}

// A head in the file that equals the embedding is the same as none.
func TestTiedWithEqualHead(t *testing.T) {
	m := newModel(small, true)
	tensors := m.hf(t, tensor.F32)
	tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
	store := makeStore(t, m.writeHF(t, tensors, 1), tensor.Q8_0)
	if _, _, _, hasHead := resident(t, store).Shape(arch.Head); hasHead || config(t, store)["tie_word_embeddings"] != true {
		t.Error("the head is not tied")
	}
}

// TestRefusedBeforeWeights: what a configuration asks for and would not get is refused before a weight is read.
func TestRefusedBeforeWeights(t *testing.T) {
	for want, value := range map[string]map[string]any{
		`rope_type = "mrope"`:   {"rope_scaling": map[string]any{"rope_type": "mrope", "factor": 4}},
		`hidden_act = "gelu"`:   {"hidden_act": "gelu"},
		"sliding_window = 512":  {"sliding_window": 512},
		`bits = 3`:              {"quantization_config": map[string]any{"quant_method": "gptq", "bits": 3}},
		"num_local_experts = 8": {"num_local_experts": 8},
	} {
		m := newModel(small, true)
		for key, v := range value {
			m.config[key] = v
		}
		dir := m.writeHF(t, m.hf(t, tensor.F32), 1)
		if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, weights.ErrUnsupported, want)
	}
}

// TestOtherFilesInPlaceOfModels: what often lies where a model should be is called by its name.
func TestOtherFilesInPlaceOfModels(t *testing.T) {
	pointer := []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3937968\n")
	page := []byte("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n")
	for _, c := range []struct {
		content []byte
		want    string
	}{{pointer, "Git LFS pointer"}, {page, "web page"}} {
		m := newModel(small, true)
		dir := m.writeHF(t, m.hf(t, tensor.F32), 1)
		writeFile(t, filepath.Join(dir, "model.safetensors"), c.content)
		refused(t, dir, weights.ErrCorrupt, c.want, "model.safetensors")
		file := filepath.Join(t.TempDir(), "model.gguf")
		writeFile(t, file, c.content)
		refused(t, file, weights.ErrCorrupt, c.want)
	}
	for name, want := range map[string]string{"adapter_config.json": "LoRA", "consolidated.00.pth": "PyTorch", "model.onnx": "ONNX", "pytorch_model.bin": "save_pretrained"} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, name), []byte("PK\x03\x04 and more"))
		refused(t, dir, fs.ErrNotExist, name, want)
		m := newModel(small, true)
		whole := m.writeHF(t, m.hf(t, tensor.F32), 1)
		if err := os.Rename(filepath.Join(whole, "model.safetensors"), filepath.Join(whole, name)); err != nil {
			t.Fatal(err)
		}
		refused(t, whole, fs.ErrNotExist, name, want, "model.safetensors")
		if name != "adapter_config.json" {
			refused(t, filepath.Join(dir, name), weights.ErrUnsupported, want)
		}
	}
	for _, name := range []string{"config.json", "tokenizer.json"} {
		m := newModel(small, true)
		dir := m.writeHF(t, m.hf(t, tensor.F32), 1)
		writeFile(t, filepath.Join(dir, name), pointer)
		refused(t, dir, weights.ErrCorrupt, name, "Git LFS pointer")
	}
	refused(t, t.TempDir(), fs.ErrNotExist, "it is empty")
	several := filepath.Join(t.TempDir(), "a[b")
	if err := os.Mkdir(several, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"q4-00001-of-00002.gguf", "q4-00002-of-00002.gguf", "q8.gguf"} {
		writeFile(t, filepath.Join(several, name), nil)
	}
	refused(t, several, fs.ErrNotExist, "several GGUF files, q4-00001-of-00002.gguf, q8.gguf; perhaps "+several)
	packed := newModel(small, true)
	tensors := packed.hf(t, tensor.F32)
	const q = "model.layers.0.self_attn.q_proj."
	tensors[q+"qweight"] = tensors[q+"weight"]
	delete(tensors, q+"weight")
	refused(t, packed.writeHF(t, tensors, 1), weights.ErrUnsupported, q, "GPTQ")
	cache := filepath.Join(t.TempDir(), "models--ours--tiny")
	snapshot := filepath.Join(cache, "snapshots", "abc")
	if err := os.MkdirAll(snapshot, 0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(snapshot, "config.json"), []byte("{}"))
	refused(t, cache, fs.ErrNotExist, "perhaps "+snapshot)
	if err := os.MkdirAll(filepath.Join(cache, "snapshots", "def"), 0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(cache, "snapshots", "def", "config.json"), []byte("{}"))
	refused(t, cache, fs.ErrNotExist, "several models, abc, def; perhaps "+snapshot+" is meant")
	part := newModel(small, true).gguf(t, tensor.F32)
	part.Metadata = map[string]any{"split.no": uint16(1), "split.count": uint16(2)}
	refused(t, writeGGUF(t, part), weights.ErrUnsupported, "part 2 of 2")
}

// An index that was left over does not hide a complete model in one file.
func TestStaleIndex(t *testing.T) {
	m := newModel(small, true)
	dir := m.writeHF(t, m.hf(t, tensor.F32), 1)
	want := readFile(t, filepath.Join(makeStore(t, dir, tensor.Q8_0), "chunks", "0001.bin"))
	writeFile(t, filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}`))
	if got := readFile(t, filepath.Join(makeStore(t, dir, tensor.Q8_0), "chunks", "0001.bin")); !bytes.Equal(got, want) {
		t.Error("another store than without the index")
	}
}

func TestTokenizerFromGGUF(t *testing.T) {
	s := open(t, makeStore(t, writeGGUF(t, newModel(small, true).gguf(t, tensor.F32)), tensor.Invalid))
	raw, err := fs.ReadFile(s.FS(), "tokenizer.gguf")
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": []string{"a", "b"},
		"tokenizer.ggml.bos_token_id": uint32(0), "tokenizer.ggml.eos_token_id": uint32(1),
	}
	if len(f.Tensors) != 0 || !reflect.DeepEqual(f.Metadata, want) {
		t.Errorf("got %v", f.Metadata)
	}
}

// onlyEntries fails if the folder holds anything but the named entries.
func onlyEntries(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("folder holds %q, want %q", got, names)
	}
}

// A destination that can't be written is refused before the source is looked at.
func TestDestinationIsCheckedFirst(t *testing.T) {
	dst := t.TempDir()
	if err := Convert(t.Context(), filepath.Join(dst, "none"), dst, weights.WriteOptions{}); !errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
