package convert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
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
	"github.com/lever-go/lever/weights"
)

// reference is a model with random weights and what llama.cpp computes with it; testdata/reference/README.md says how it was made.
type reference struct {
	Config   map[string]any       `json:"config"`
	GGUF     string               `json:"gguf,omitempty"`    // architecture of the GGUF file, if it is not that of the configuration
	Metadata map[string]any       `json:"metadata"`          // of the GGUF file, without the prefix of the architecture
	Tensors  map[string][]float32 `json:"tensors,omitempty"` // of the GGUF file alone
	// Embedding multiplies the embedding unless it is 0. A tied model whose embedding is small beside what blocks add does not repeat its last token forever.
	Embedding float64 `json:"embedding,omitempty"`
	// Prefix stands in files of Hugging Face where "model." stands in those of a model for text alone, if that is not it.
	Prefix   string       `json:"prefix,omitempty"`
	Prompt   []int32      `json:"prompt"`
	Greedy   []int32      `json:"greedy"`   // tokens that follow
	LogProbs [][2]float64 `json:"logprobs"` // of the likeliest tokens after the prompt

	Text      []int32      `json:"text"`
	Positions [][4]float64 `json:"positions"` // log-probabilities of tokens after each of the text; see positionToken
}

// referenceNames returns the names of all references.
func referenceNames(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob("testdata/reference/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no references", err)
	}
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	return names
}

// readReference returns the reference with a name.
func readReference(t *testing.T, name string) *reference {
	t.Helper()
	var r reference
	if err := json.Unmarshal(readFile(t, filepath.Join("testdata/reference", name+".json")), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// positionToken returns the token whose log-probability is the j-th of those after token i of a text.
func positionToken(i, j, vocab int) int { return (7*i + 24*j) % vocab }

// model returns the model, with random weights that F16 holds exactly.
func (r *reference) model(t testing.TB) *model {
	t.Helper()
	config, err := json.Marshal(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, config, err = cutQuantization(config, "config.json"); err != nil {
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
			switch {
			case x.Vector:
				values[i] = float32(rng.IntN(127)-63) / 128
			case x.Expert != "" && described.Architecture == arch.GPTOSS:
				values[i] = mxfp4Values[rng.IntN(16)] * mxfp4Scale
			}
			if strings.HasSuffix(x.Name, ".predict") || strings.HasSuffix(x.Name, ".correct") {
				values[i] /= 8 // so that streams do not grow from layer to layer
			}
			if strings.HasSuffix(x.Name, "norm") || strings.HasSuffix(x.Name, ".scale") {
				values[i]++
			}
			if x.Name == arch.Embedding && r.Embedding != 0 {
				values[i] *= float32(r.Embedding)
			}
		}
		m.values[x.Name] = values
	}
	return m
}

// file returns the content of a GGUF file of the model in F32.
func (r *reference) file(t testing.TB, m *model) gguf.Content {
	t.Helper()
	return r.fileOf(t, m, func(x arch.Tensor) ([]byte, tensor.DType) { return m.encode(t, x.Name, tensor.F32), tensor.F32 })
}

// fileOf returns the content of a GGUF file of the model, whose tensors rows returns in the order of the store, with a tokenizer of as many tokens as the
// embedding has rows.
func (r *reference) fileOf(t testing.TB, m *model, rows func(x arch.Tensor) ([]byte, tensor.DType)) gguf.Content {
	t.Helper()
	kind := cmp.Or(r.GGUF, m.described.Architecture.GGUF)
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
			if value = float32(x); x == math.Trunc(x) && !isFraction(key) {
				value = uint32(x)
			}
		case []any:
			value = listOf(x)
		}
		meta[kind+"."+key] = value
	}
	c := gguf.Content{Metadata: meta}
	for _, x := range m.tensors() {
		out := gguf.Tensor{Name: x.GGUF, Shape: []int{x.Cols, x.Rows}}
		out.Data, out.Type = rows(x)
		if x.Vector {
			out.Shape = out.Shape[:1]
		}
		if kernel := m.kernel(x); kernel > 0 {
			out.Shape = []int{kernel, x.Cols / kernel}
		}
		if x.GGUFHeadDim > 0 {
			out.Data = interleave(out.Data, x.Rows, x.GGUFHeadDim)
		}
		if isStacked(x) {
			out.Shape = append(out.Shape, 1)
		}
		same := func(other gguf.Tensor) bool { return other.Name == x.GGUF }
		if i := slices.IndexFunc(c.Tensors, same); i >= 0 { // parts of one tensor, in order
			joined := &c.Tensors[i]
			if joined.Data = append(joined.Data, out.Data...); isStacked(x) {
				joined.Shape[len(joined.Shape)-1]++
			} else {
				joined.Shape[1] += x.Rows
			}
			continue
		}
		c.Tensors = append(c.Tensors, out)
	}
	for _, x := range m.described.Unused {
		c.Tensors = append(c.Tensors, gguf.Tensor{Name: x.GGUF, Shape: []int{x.Cols, x.Rows}[:2-isVector(x)], Type: tensor.F32, Data: make([]byte, 4*x.Rows*x.Cols)})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Tensors)) {
		values := r.Tensors[name]
		raw := make([]byte, tensor.F32.RowBytes(len(values)))
		if err := tensor.Encode(raw, values, tensor.F32); err != nil {
			t.Fatal(err)
		}
		c.Tensors = append(c.Tensors, gguf.Tensor{Name: name, Shape: []int{len(values)}, Type: tensor.F32, Data: raw})
	}
	return c
}

// isVector returns 1 for vectors, which have a dimension less.
func isVector(t arch.Tensor) int {
	if t.Vector {
		return 1
	}
	return 0
}

// listOf returns a list of truths, integers or fractions as metadata have it.
func listOf(x []any) any {
	var truths []bool
	var integers []int32
	var fractions []float32
	whole := true
	for i := range x {
		switch v := x[i].(type) {
		case bool:
			truths = append(truths, v)
		case float64:
			integers, fractions, whole = append(integers, int32(v)), append(fractions, float32(v)), whole && v == math.Trunc(v)
		}
	}
	switch {
	case truths != nil:
		return truths
	case whole:
		return integers
	}
	return fractions
}

// isFraction reports whether the values of a metadata key are float32 even where they are whole.
func isFraction(key string) bool {
	return slices.ContainsFunc([]string{"freq_base", "factor", "softcapping", "scale", "beta", "multiplier"}, func(word string) bool { return strings.Contains(key, word) })
}

// TestReferences converts models of each architecture from both formats and compares what they compute with llama.cpp. With
// LEVER_WRITE_GGUF, the name of a folder, it writes the GGUF files there, for other programs.
func TestReferences(t *testing.T) {
	for _, name := range referenceNames(t) {
		t.Run(name, func(t *testing.T) {
			r := readReference(t, name)
			m := r.model(t)
			file := writeGGUF(t, r.file(t, m))
			if dir := os.Getenv("LEVER_WRITE_GGUF"); dir != "" {
				writeFile(t, filepath.Join(dir, name+".gguf"), readFile(t, file))
			}
			for format, src := range map[string]string{"gguf": file, "hf": m.writeHF(t, r.prefixed(m.hf(t, tensor.F32)), 1)} {
				t.Run(format, func(t *testing.T) { r.compare(t, makeStore(t, src, tensor.F16)) })
			}
		})
	}
}

// prefixed gives tensors the names that they have in a model for images and text, and adds one of its other parts.
func (r *reference) prefixed(tensors map[string]hfTensor) map[string]hfTensor {
	if r.Prefix == "" {
		return tensors
	}
	out := map[string]hfTensor{"vision_tower.patch.weight": {DType: "F32", Shape: []int{2, 2}, data: make([]byte, 16)}}
	for name, x := range tensors {
		if inner, ok := strings.CutPrefix(name, "model."); ok {
			name = r.Prefix + inner
		} else if strings.HasPrefix(r.Prefix, "language_model.") {
			name = "language_model." + name // the head
		}
		out[name] = x
	}
	return out
}

// compare decodes with a store.
func (r *reference) compare(t *testing.T, dir string) {
	store := open(t, dir)
	m, err := arch.Parse(store.Config())
	if err != nil {
		t.Fatal(err)
	}
	w := resident(t, dir)
	d, err := m.Decoder(w, arch.Options{KV: tensor.F32})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	logits := next(t, d, r.Prompt)
	norm := logSumExp(logits)
	for _, p := range r.LogProbs {
		if got := float64(logits[int(p[0])]) - norm; isOff(math.Abs(got - p[1])) {
			t.Errorf("log-probability of token %.0f: %.4f, llama.cpp has %.4f", p[0], got, p[1])
		}
	}
	r.comparePositions(t, m, w)
	r.compareTree(t, m, w, logits)
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

// isOff reports whether log-probabilities of two programs that compute in F32 are too far apart.
func isOff(by float64) bool { return !(by <= 2e-3) }

// comparePositions evaluates a text in one pass and compares what follows each of its tokens.
func (r *reference) comparePositions(t *testing.T, m *arch.Model, w layers.Weights) {
	t.Helper()
	d, err := m.Decoder(w, arch.Options{KV: tensor.F32})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx := context.Background()
	first, err := d.Forward(ctx, layers.Batch{Tokens: r.Text})
	if err != nil {
		t.Fatal(err)
	}
	logits, off := make([]float32, d.Vocab()), 0.0
	for i, want := range r.Positions {
		if err := d.Project(ctx, logits, []int{first + i}); err != nil {
			t.Fatal(err)
		}
		norm := logSumExp(logits)
		for j, p := range want {
			off = max(off, math.Abs(float64(logits[positionToken(i, j, len(logits))])-norm-p))
		}
	}
	if len(r.Positions) == 0 || isOff(off) {
		t.Errorf("log-probabilities after %d tokens of a text are off by %.5f", len(r.Positions), off)
	}
}

// compareTree decodes a tree after the prompt in one pass and compares with decoding each of its paths alone, bit for bit. Then it commits one
// of them and goes on.
func (r *reference) compareTree(t *testing.T, m *arch.Model, w layers.Weights, logits []float32) {
	t.Helper()
	ctx := context.Background()
	decoder := func() *layers.Decoder {
		d, err := m.Decoder(w, arch.Options{KV: tensor.F32})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	tree := decoder()
	if !slices.Equal(next(t, tree, r.Prompt), logits) {
		t.Error("the same prompt has other logits in another decoder")
	}
	batch := layers.Batch{Tokens: []int32{7, 30, 11, 45, 2, 60, 19}, Parents: []int32{-1, -1, 0, 1, 2, 2, 0}}
	first, err := tree.Forward(ctx, batch)
	if err != nil {
		t.Fatal(err)
	}
	for row := range batch.Tokens {
		want := r.decode(t, decoder(), path(batch, row))
		got := make([]float32, tree.Vocab())
		if err := tree.Project(ctx, got, []int{first + row}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("row %d of a tree has other logits than its path alone", row)
		}
	}
	if err := tree.Commit([]int{first, first + 2, first + 4}); err != nil {
		t.Fatal(err)
	}
	if want := r.decode(t, decoder(), append(path(batch, 4), 3)); !slices.Equal(next(t, tree, []int32{3}), want) {
		t.Error("what follows a committed path has other logits than what follows it alone")
	}
}

// path returns the tokens from the root of a tree to a row.
func path(b layers.Batch, row int) (tokens []int32) {
	for at := int32(row); at >= 0; at = b.Parents[at] {
		tokens = append([]int32{b.Tokens[at]}, tokens...)
	}
	return tokens
}

// decode appends the prompt and then tokens, one by one, and returns the logits after the last.
func (r *reference) decode(t *testing.T, d *layers.Decoder, tokens []int32) (logits []float32) {
	t.Helper()
	next(t, d, r.Prompt)
	for _, token := range tokens {
		logits = next(t, d, []int32{token})
	}
	return logits
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

// TestStreamedTables: a model whose layers look up inputs on flash computes the same with the least memory as with all of it.
func TestStreamedTables(t *testing.T) {
	r := readReference(t, "gemma4")
	dir := makeStore(t, writeGGUF(t, r.file(t, r.model(t))), tensor.F16)
	store := open(t, dir)
	m, err := arch.Parse(store.Config())
	if err != nil {
		t.Fatal(err)
	}
	var small *weights.MemoryError
	if _, err := store.Plan(1); !errors.As(err, &small) {
		t.Fatal(err)
	}
	streamer, err := store.Stream(t.Context(), weights.StreamOptions{DRAM: small.Need})
	if err != nil {
		t.Fatal(err)
	}
	defer streamer.Close()
	var logits [2][]float32
	for i, w := range []layers.Weights{resident(t, dir), streamer} {
		d, err := m.Decoder(w, arch.Options{MaxBatch: 5})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		next(t, d, r.Prompt)
		logits[i] = next(t, d, []int32{9})
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Error("streamed weights give other logits")
	}
	if stats, plan := streamer.Stats(), streamer.Plan(); stats.TileReads == 0 || stats.OutOfOrder != 0 || plan.Tables == 0 || stats.PeakBytes > plan.Total() {
		t.Errorf("%+v with %+v", stats, plan)
	}
}
