package convert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
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

// wideSizes are the sizes, by their names in configurations and metadata, that give matrices whole blocks of 256 columns.
var wideSizes = map[string]float64{
	"hidden_size": 256, "conv_dim": 256, "conv_dim_out": 256, "block_dim": 256, "block_ff_dim": 384, "intermediate_size": 256, "moe_intermediate_size": 256,
	"shared_intermediate_size": 256, "hidden_size_per_layer_input": 256, "num_attention_heads": 16, "num_heads": 16, "num_experts": 4, "num_local_experts": 4,
	"num_experts_per_tok": 4, "experts_per_token": 4, "expert_used_count": 4, // so that rounding does not choose other experts
	"embedding_length": 256, "feed_forward_length": 256, "expert_feed_forward_length": 256, "embedding_length_per_layer_input": 256,
	"attention.head_count": 16, "expert_count": 4,
}

// widen gives a description of a model wide sizes in place of those above 0.
func widen(description map[string]any) {
	for key, value := range description {
		size, ok := wideSizes[key]
		switch v := value.(type) {
		case map[string]any:
			if key == "text_config" {
				widen(v)
			}
		case float64:
			if ok && v > 0 {
				description[key] = size
			}
		case []any: // of layers, some of which are several times as wide as the first
			if !ok {
				continue
			}
			first := v[0].(float64)
			for i := range v {
				v[i] = v[i].(float64) / first * size
			}
		}
	}
}

// wide gives the reference wide sizes. One with very many layers, which would take long, gets a larger embedding in their place: rounding in each layer then adds
// less to it.
func (r *reference) wide() {
	if r.Metadata["block_count"].(float64) >= 20 {
		r.Embedding *= 8
		return
	}
	widen(r.Config)
	widen(r.Metadata)
}

// typesOfFiles are those of matrices in GGUF files.
func typesOfFiles() []tensor.DType {
	types := []tensor.DType{tensor.F16, tensor.BF16}
	for _, d := range tensor.Types() {
		if d.Quantized() {
			types = append(types, d)
		}
	}
	return types
}

// plainTensors are parts of the names of matrices that GGUF files keep as F32.
var plainTensors = []string{"gate_inp", "altup", "laurel", "shortconv.conv", "per_layer_model_proj", "inp_gate", ".proj.", "_norm", "router"}

// mixed returns a GGUF file of the model of the reference whose matrices have random blocks of different types by turns: each takes the first of types whose blocks fit
// and that the others left, or else F16. left are those that no matrix took.
func (r *reference) mixed(t *testing.T, m *model, types []tensor.DType, seed uint64) (c gguf.Content, left []tensor.DType) {
	t.Helper()
	c = r.file(t, m)
	left = slices.Clone(types)
	for i := range c.Tensors {
		x := &c.Tensors[i]
		isPlain := func(part string) bool { return strings.Contains(x.Name, part) }
		if len(x.Shape) < 2 || strings.HasSuffix(x.Name, ".bias") || slices.ContainsFunc(plainTensors, isPlain) {
			continue
		}
		fits := func(d tensor.DType) bool { return x.Shape[0]%d.BlockElems() == 0 }
		d := tensor.F16
		if next := slices.IndexFunc(left, fits); next >= 0 {
			d = left[next]
			left = slices.Delete(left, next, next+1)
		}
		size := 1 / math.Sqrt(float64(x.Shape[0]))
		if x.Name == "token_embd.weight" {
			size *= cmp.Or(r.Embedding, 1)
		}
		elems := len(x.Data) / 4
		if x.Type = d; d.Quantized() {
			x.Data = mixedBlocks(t, d, elems, size, seed+uint64(i))
			continue
		}
		rng := rand.New(rand.NewPCG(seed+uint64(i), 2)) // F16 or BF16
		values := make([]float32, elems)
		for j := range values {
			values[j] = float32(rng.IntN(255)-127) / 64 * float32(math.Exp2(math.Round(math.Log2(size))))
		}
		x.Data = make([]byte, d.RowBytes(elems))
		if err := tensor.Encode(x.Data, values, d); err != nil {
			t.Fatal(err)
		}
	}
	return c, left
}

// mixedBlocks returns random blocks of values whose root mean square is about size.
func mixedBlocks(t *testing.T, d tensor.DType, elems int, size float64, seed uint64) []byte {
	t.Helper()
	raw := make([]byte, d.RowBytes(elems))
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(raw)
	setScales(raw, d, 0)
	sample := make([]float32, min(elems, 16*d.BlockElems()))
	if err := tensor.Decode(sample, raw[:d.RowBytes(len(sample))], d); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range sample {
		sum += float64(v) * float64(v)
	}
	setScales(raw, d, int(math.Round(math.Log2(size/math.Sqrt(sum/float64(len(sample)))))))
	return raw
}

// mixedTolerance is how far log-probabilities may be off, as activations are rounded to 8 bits in every layer; the log-probabilities of llama.cpp are those of F32.
const mixedTolerance = 0.2

// TestFamiliesOfTypes converts models of every architecture whose matrices have all types of GGUF files by turns, which the store keeps where it can, and
// compares their log-probabilities with llama.cpp's. LEVER_WRITE_GGUF is as in TestReferences.
func TestFamiliesOfTypes(t *testing.T) {
	golden := map[string][][2]float64{} // log-probabilities, by the name of a reference and the number of a part
	if err := json.Unmarshal(readFile(t, "testdata/families.json"), &golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range referenceNames(t) {
		t.Run(name, func(t *testing.T) {
			r := readReference(t, name)
			r.wide()
			m, left := r.model(t), typesOfFiles()
			for part := 0; len(left) > 0; part++ {
				if part == 3 {
					t.Fatalf("no matrix has one of the types %v", left)
				}
				var c gguf.Content
				c, left = r.mixed(t, m, left, uint64(100*part))
				file, key := writeGGUF(t, c), fmt.Sprintf("%s-%d", name, part)
				if dir := os.Getenv("LEVER_WRITE_GGUF"); dir != "" {
					writeFile(t, filepath.Join(dir, key+".gguf"), readFile(t, file))
					continue
				}
				isNear(t, key, decodeStore(t, makeStore(t, file, tensor.Invalid), r.Prompt), golden[key])
			}
		})
	}
}

// sameBlocks compares the tensors of two stores of a model.
func sameBlocks(t *testing.T, m *model, a, b *weights.Resident) {
	t.Helper()
	for _, x := range m.tensors() {
		before, d := rowMajor(t, a, x.Name)
		if after, kept := rowMajor(t, b, x.Name); kept != d || !bytes.Equal(after, before) {
			t.Errorf("%s: %v has become other blocks of %v", x.Name, d, kept)
		}
	}
}

// isNear compares logits with log-probabilities of llama.cpp.
func isNear(t *testing.T, key string, logits []float32, want [][2]float64) {
	t.Helper()
	norm, off := logSumExp(logits), 0.0
	for _, p := range want {
		off = max(off, math.Abs(float64(logits[int(p[0])])-norm-p[1]))
	}
	if len(want) == 0 || !(off <= mixedTolerance) {
		t.Errorf("%s: log-probabilities are off by %.4f from %d of llama.cpp", key, off, len(want))
	}
}

// TestFamiliesInStoredTypes converts folders of models of every architecture to every type of a store, and compares their log-probabilities with what
// llama.cpp makes of a GGUF file of the same blocks, which has to convert to the same store. LEVER_WRITE_GGUF is as in TestReferences.
func TestFamiliesInStoredTypes(t *testing.T) {
	golden := map[string]map[string][][2]float64{} // log-probabilities, by the name of a reference and of a type
	if err := json.Unmarshal(readFile(t, "testdata/stored.json"), &golden); err != nil {
		t.Fatal(err)
	}
	for i, name := range referenceNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := readReference(t, name)
			r.wide()
			m := r.model(t)
			src := m.writeHF(t, r.prefixed(m.hf(t, tensor.F32)), 1)
			for j, d := range weights.EncodableTypes() {
				if testing.Short() && (i+j)%8 != 0 {
					continue
				}
				key, dir := name+"-"+d.String(), makeStore(t, src, d)
				stored := resident(t, dir)
				file := writeGGUF(t, r.fileOf(t, m, func(x arch.Tensor) ([]byte, tensor.DType) { return rowMajor(t, stored, x.Name) }))
				if dir := os.Getenv("LEVER_WRITE_GGUF"); dir != "" {
					writeFile(t, filepath.Join(dir, key+".gguf"), readFile(t, file))
					continue
				}
				kept := tensor.Invalid
				if !d.Quantized() {
					kept = d // which is not the usual type
				}
				again := makeStore(t, file, kept)
				sameBlocks(t, m, stored, resident(t, again))
				for _, dir := range []string{dir, again} {
					isNear(t, key, decodeStore(t, dir, r.Prompt), golden[name][d.String()])
				}
			}
		})
	}
}
