package convert

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
)

// scaleOffsets say where blocks keep F16 scales and, next, F16 minima; -1 for none. Other types keep a scale at their start.
var scaleOffsets = map[tensor.DType][2]int{
	tensor.Q4_1: {0, 2}, tensor.Q5_1: {0, 2}, tensor.Q4_K: {0, 2}, tensor.Q5_K: {0, 2}, tensor.Q2_K: {80, 82}, tensor.Q3_K: {108, -1}, tensor.Q6_K: {208, -1},
	tensor.MXFP4: {-1, -1}, tensor.IQ1_M: {-1, -1},
}

// randomBlocks returns blocks of a type with random bytes and scales of setScales.
func randomBlocks(rng *rand.Rand, d tensor.DType, elems, exponent int) []byte {
	raw := make([]byte, d.RowBytes(elems))
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	setScales(raw, d, exponent)
	return raw
}

// setScales gives blocks a scale of 2^exponent; what is subtracted or added gets eight times or minus eight times that.
func setScales(raw []byte, d tensor.DType, exponent int) {
	scale := tensor.F32ToF16(float32(math.Ldexp(1, exponent)))
	offsets, ok := scaleOffsets[d]
	if !ok {
		offsets = [2]int{0, -1}
	}
	for at := 0; at < len(raw); at += d.BlockBytes() {
		block := raw[at:][:d.BlockBytes()]
		if offsets[0] >= 0 {
			binary.LittleEndian.PutUint16(block[offsets[0]:], scale)
		}
		switch {
		case d == tensor.Q4_1 || d == tensor.Q5_1:
			binary.LittleEndian.PutUint16(block[offsets[1]:], tensor.F32ToF16(float32(-math.Ldexp(8, exponent))))
		case offsets[1] >= 0:
			binary.LittleEndian.PutUint16(block[offsets[1]:], scale)
		case d == tensor.MXFP4:
			block[0] = byte(127 + exponent)
		case d == tensor.IQ1_M: // a quarter of the bits of the scale stands above each four scales
			for i := range 4 {
				high := &block[48+2*i+1]
				*high = *high&15 | byte(scale>>(4*i)&15<<4)
			}
		}
	}
}

// blocksOfSize returns random blocks of values whose root mean square is about size.
func blocksOfSize(t *testing.T, d tensor.DType, elems int, size float64, seed uint64) []byte {
	t.Helper()
	values := make([]float32, elems)
	if err := tensor.Decode(values, randomBlocks(rand.New(rand.NewPCG(seed, 1)), d, elems, 0), d); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	exponent := int(math.Round(math.Log2(size / math.Sqrt(sum/float64(elems)))))
	return randomBlocks(rand.New(rand.NewPCG(seed, 1)), d, elems, exponent)
}

// TestTypesLikeLlamaCpp converts a small model of random blocks of each type and compares its log-probabilities with those of llama.cpp, which
// rounds activations to 8 bits. testdata/reference/README.md says how they were made; LEVER_WRITE_GGUF is as in TestReferences.
func TestTypesLikeLlamaCpp(t *testing.T) {
	var golden struct {
		reference
		Types map[string][][2]float64 `json:"types"` // log-probabilities
	}
	if err := json.Unmarshal(readFile(t, "testdata/types.json"), &golden); err != nil {
		t.Fatal(err)
	}
	for _, d := range tensor.Types() {
		if !d.Quantized() {
			continue
		}
		t.Run(d.String(), func(t *testing.T) {
			r := golden.reference
			r.LogProbs = golden.Types[d.String()]
			file := writeGGUF(t, typeFile(t, &r, d))
			if dir := os.Getenv("LEVER_WRITE_GGUF"); dir != "" {
				writeFile(t, filepath.Join(dir, "type-"+d.String()+".gguf"), readFile(t, file))
				return
			}
			if len(r.LogProbs) == 0 {
				t.Fatal("no log-probabilities")
			}
			logits := decodeStore(t, makeStore(t, file, tensor.F16), r.Prompt)
			norm := logSumExp(logits)
			for _, p := range r.LogProbs {
				if got := float64(logits[int(p[0])]) - norm; math.Abs(got-p[1]) > 0.1 {
					t.Errorf("log-probability of token %.0f: %.4f, llama.cpp has %.4f", p[0], got, p[1])
				}
			}
		})
	}
}

// decodeStore returns the logits of what follows a prompt.
func decodeStore(t *testing.T, dir string, prompt []int32) []float32 {
	t.Helper()
	m, err := arch.Parse(open(t, dir).Config())
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Decoder(resident(t, dir), arch.Options{KV: tensor.F32})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return next(t, d, prompt)
}

// typeFile returns a GGUF file of the model with matrices of type d.
func typeFile(t *testing.T, r *reference, d tensor.DType) gguf.Content {
	t.Helper()
	c := r.file(t, r.model(t))
	for i := range c.Tensors {
		x := &c.Tensors[i]
		if len(x.Shape) != 2 {
			continue
		}
		size := 1 / math.Sqrt(float64(x.Shape[0]))
		if x.Name == "token_embd.weight" {
			size = 1
		}
		x.Type, x.Data = d, blocksOfSize(t, d, x.Shape[0]*x.Shape[1], size, uint64(i))
	}
	return c
}

// The page of models that open says of every quantised type what becomes of it.
func TestTypesAreDocumented(t *testing.T) {
	page := string(readFile(t, "../../docs/architectures.md"))
	for _, d := range tensor.Types() {
		listed := regexp.MustCompile(`(?m)^\| [^|]*\b` + strings.ToUpper(d.String()) + `\b[^|]*\(GGUF\) \|`)
		if d.Quantized() && !listed.MatchString(page) {
			t.Errorf("docs/architectures.md does not list %v among the types of weights", d)
		}
	}
}
