package convert

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// reference is a model with random weights and what llama.cpp computes with it; testdata/reference/README.md says how it was made.
type reference struct {
	Config   map[string]any `json:"config"`
	Metadata map[string]any `json:"metadata"` // of the GGUF file, without the prefix of the architecture
	Prompt   []int32        `json:"prompt"`
	Greedy   []int32        `json:"greedy"`   // tokens that follow
	LogProbs [][2]float64   `json:"logprobs"` // of the likeliest tokens after the prompt
}

// model returns the model, with random weights that F16 holds exactly.
func (r *reference) model(t testing.TB) *model {
	t.Helper()
	config, err := json.Marshal(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	described, err := arch.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{config: r.Config, described: described, tied: described.Tied != nil && *described.Tied, values: map[string][]float32{}}
	rng := rand.New(rand.NewPCG(7, 9))
	for _, x := range m.tensors() {
		scale := math.Exp2(-math.Round(math.Log2(math.Sqrt(float64(x.Cols)))))
		values := make([]float32, x.Rows*x.Cols)
		for i := range values {
			values[i] = float32(float64(rng.IntN(255)-127) / 64 * scale)
			if x.Vector {
				values[i] = float32(rng.IntN(127)-63) / 128
			}
			if strings.HasSuffix(x.Name, "norm") {
				values[i]++
			}
		}
		m.values[x.Name] = values
	}
	return m
}

// file returns the content of a GGUF file of the model, with a tokenizer of as many tokens as the embedding has rows.
func (r *reference) file(t testing.TB, m *model) gguf.Content {
	t.Helper()
	kind := m.described.Architecture.GGUF
	tokens, types := make([]string, m.described.Vocab), make([]int32, m.described.Vocab)
	for i := range tokens {
		tokens[i], types[i] = string(rune(0x100+i)), 1
	}
	meta := map[string]any{
		"general.architecture": kind, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens,
		"tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": []string{"Ā ā"}, "tokenizer.ggml.eos_token_id": uint32(0),
	}
	for key, value := range r.Metadata {
		switch x := value.(type) {
		case float64:
			if value = float32(x); x == math.Trunc(x) && !strings.Contains(key, "freq_base") {
				value = uint32(x)
			}
		}
		meta[kind+"."+key] = value
	}
	c := gguf.Content{Metadata: meta}
	for _, x := range m.tensors() {
		out := gguf.Tensor{Name: x.GGUF, Shape: []int{x.Cols, x.Rows}, Type: tensor.F32, Data: m.encode(t, x.Name, tensor.F32)}
		if x.Vector {
			out.Shape = out.Shape[:1]
		}
		if kind == "llama" && (strings.HasSuffix(x.Name, ".q") || strings.HasSuffix(x.Name, ".k")) {
			out.Data = interleave(out.Data, x.Rows, x.GGUFHeadDim)
		}
		c.Tensors = append(c.Tensors, out)
	}
	return c
}

// TestReferences converts models of each architecture from both formats and compares what they compute with llama.cpp. With
// LEVER_WRITE_GGUF, the name of a folder, it writes the GGUF files there, for other programs.
func TestReferences(t *testing.T) {
	paths, err := filepath.Glob("testdata/reference/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no references", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			var r reference
			if err := json.Unmarshal(readFile(t, path), &r); err != nil {
				t.Fatal(err)
			}
			m := r.model(t)
			file := writeGGUF(t, r.file(t, m))
			if dir := os.Getenv("LEVER_WRITE_GGUF"); dir != "" {
				writeFile(t, filepath.Join(dir, name+".gguf"), readFile(t, file))
			}
			for format, src := range map[string]string{"gguf": file, "hf": m.writeHF(t, m.hf(t, tensor.F32), 1)} {
				t.Run(format, func(t *testing.T) { r.compare(t, makeStore(t, src, tensor.F16)) })
			}
		})
	}
}

// compare decodes with a store.
func (r *reference) compare(t *testing.T, dir string) {
	store := open(t, dir)
	m, err := arch.Parse(store.Config())
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Decoder(resident(t, dir), arch.Options{KV: tensor.F32})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	logits := next(t, d, r.Prompt)
	norm := logSumExp(logits)
	for _, p := range r.LogProbs {
		if got := float64(logits[int(p[0])]) - norm; math.Abs(got-p[1]) > 5e-3 {
			t.Errorf("log-probability of token %.0f: %.4f, llama.cpp has %.4f", p[0], got, p[1])
		}
	}
	var greedy []int32
	for range r.Greedy {
		token := int32(slices.Index(logits, slices.Max(logits)))
		greedy = append(greedy, token)
		logits = next(t, d, []int32{token})
	}
	if !slices.Equal(greedy, r.Greedy) {
		t.Errorf("greedy tokens %v, llama.cpp has %v", greedy, r.Greedy)
	}
}

// next appends tokens to the text and returns the logits of what follows.
func next(t *testing.T, d *layers.Decoder, tokens []int32) []float32 {
	t.Helper()
	ctx := context.Background()
	first, err := d.Forward(ctx, layers.Batch{Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, d.Vocab())
	path := make([]int, len(tokens))
	for i := range path {
		path[i] = first + i
	}
	if err := cmp.Or(d.Project(ctx, logits, path[len(path)-1:]), d.Commit(path)); err != nil {
		t.Fatal(err)
	}
	return logits
}

func logSumExp(x []float32) float64 {
	most, sum := slices.Max(x), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v - most))
	}
	return float64(most) + math.Log(sum)
}
