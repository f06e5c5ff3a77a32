package inflate_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
)

// Shapes for the demo's target and draft, small enough for a test. They are four times as wide: then gains and mean change by powers of two,
// and there is no rounding that quantised activations could amplify. The numbers of layers are not multiples of the demo's; in the second, heads
// have another size, and the groups are too small for the draft's query heads.
var (
	wide   = inflate.Shape{Name: "wide", Width: 4 * 384, Layers: 9, Heads: 4, KVHeads: 1, HeadDim: 128, FFN: 1056, Vocab: 4500}
	narrow = inflate.Shape{Name: "narrow", Width: 4 * 192, Layers: 4, Heads: 6, KVHeads: 3, HeadDim: 128, FFN: 640, Vocab: 4500}
)

func unpack(t *testing.T) demo.Pair {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func openStore(t *testing.T, path string) *weights.Store {
	t.Helper()
	s, err := weights.Open(t.Context(), path, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newModel(t *testing.T, store string, shape inflate.Shape, d tensor.DType) *inflate.Inflation {
	t.Helper()
	m, err := inflate.New(t.Context(), openStore(t, store), shape, d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeStore(t *testing.T, m *inflate.Inflation) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inflated.lever")
	if err := m.WriteStore(t.Context(), path, weights.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// answers returns the tokens of greedy answers to prompts of all kinds, drafted in chains.
func answers(t *testing.T, cfg lever.Config) (all [][]int32, stats spec.Stats) {
	t.Helper()
	chain, err := baseline.NewChain(8, 0.4) // stops at tokens that the draft is in doubt about
	if err != nil {
		t.Fatal(err)
	}
	engine, err := lever.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, set := range bench.BuiltinSets() {
		p := set.Prompts[0]
		result, err := engine.Generate(t.Context(), lever.Request{Prompt: p.Text, Raw: p.Raw, MaxTokens: 20, Policy: chain}, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, result.TokenIDs)
		stats.Passes += result.Passes
		stats.Tokens += result.Stats.Tokens
		stats.IOStats = result.IOStats
	}
	return all, stats
}

func equal(a, b [][]int32) bool { return slices.EqualFunc(a, b, slices.Equal[[]int32]) }

// logits returns those after each of a few tokens.
func logits(t *testing.T, model string) [][]float32 {
	t.Helper()
	engine, err := lever.Open(t.Context(), lever.Config{Model: model, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	decoder := engine.Target()
	ids := engine.Tokenizer().Encode("def mean(values):\n    return sum(values) / len(values)\n", tokenizer.EncodeOptions{AddBOS: true})
	if _, err := decoder.Forward(t.Context(), layers.Batch{Tokens: ids}); err != nil {
		t.Fatal(err)
	}
	var rows []int
	for i := range ids {
		rows = append(rows, i)
	}
	all := make([]float32, len(ids)*decoder.Vocab())
	if err := decoder.Project(t.Context(), all, rows); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(slices.Chunk(all, decoder.Vocab()))
}

const tokens = 4096 // of the demo

// Logits of real tokens are the source's plus a number that is common to all, and those of added tokens are far below.
func TestLogitsAreUnchanged(t *testing.T) {
	draft := unpack(t).Draft
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0} {
		want := logits(t, writeStore(t, newModel(t, draft, inflate.Shape{Name: inflate.Same}, d)))
		odd, sparse := narrow, narrow
		odd.Width, sparse.Experts, sparse.Chosen = 352, 3, 2
		for name, test := range map[string]struct {
			shape inflate.Shape
			most  float64 // difference
		}{"four times as wide": {narrow, 1e-4}, "of another width": {odd, 0.5}, "with experts": {sparse, 0.5}} {
			large := newModel(t, draft, test.shape, d)
			gguf := filepath.Join(t.TempDir(), "inflated.gguf")
			if err := large.WriteGGUF(t.Context(), gguf, nil); err != nil {
				t.Fatal(err)
			}
			for form, path := range map[string]string{"store": writeStore(t, large), "GGUF file": gguf} {
				if form == "GGUF file" && d == tensor.Q4_0 {
					continue // its conversion changes no block either
				}
				checkLogits(t, d.String()+" "+name+" "+form, logits(t, path), want, test.most)
			}
		}
	}
}

func checkLogits(t *testing.T, name string, got, want [][]float32, most float64) {
	t.Helper()
	for i := range want {
		real, added := got[i][:tokens], got[i][tokens:]
		if worst, best := slices.Min(real), slices.Max(added); best > worst-20 || len(added) != narrow.Vocab-tokens {
			t.Fatalf("%s: one of %d added tokens has logit %v, the worst real one %v", name, len(added), best, worst)
		}
		common := float64(real[0] - want[i][0])
		for j := range real {
			if off := math.Abs(float64(real[j]-want[i][j]) - common); off > most {
				t.Fatalf("%s: after token %d, logit %d is off by %v", name, i, j, off)
			}
		}
	}
}

// A pair says what the demo says, in as many passes: policies live on the draft's probabilities, of which added tokens must not take a part.
func TestTextAndAcceptanceAreUnchanged(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: writes and runs larger models")
	}
	pair := unpack(t)
	want, small := answers(t, lever.Config{Model: pair.Target, Draft: pair.Draft})
	got, large := answers(t, lever.Config{
		Model: writeStore(t, newModel(t, pair.Target, wide, tensor.Q8_0)), Draft: writeStore(t, newModel(t, pair.Draft, narrow, tensor.Q8_0)),
	})
	if !equal(got, want) || large.Passes != small.Passes {
		t.Errorf("%d tokens in %d passes, want %d in %d; %v, want %v", large.Tokens, large.Passes, small.Tokens, small.Passes, got, want)
	}
}

// A model with experts says the same, streamed with trees too; and the experts that it uses are read alone.
func TestExperts(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: writes and runs larger models")
	}
	pair := unpack(t)
	want, _ := answers(t, lever.Config{Model: pair.Target, Draft: pair.Draft})
	moe := wide
	moe.Layers, moe.FFN, moe.Experts, moe.Chosen = 8, 1024, 3, 2
	store := writeStore(t, newModel(t, pair.Target, moe, tensor.Q8_0))
	got, stats := answers(t, lever.Config{Model: store, Draft: writeStore(t, newModel(t, pair.Draft, narrow, tensor.Q8_0)), DRAM: 72 << 20})
	if !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if stats.Experts == 0 || stats.ExpertReads == 0 || stats.ExpertReads >= stats.Experts || stats.ExpertBytes > stats.BytesRead {
		t.Errorf("%+v", stats)
	}
}

// Shapes of models that exist take the demo pair, and have the size that such models have.
func TestRealShapes(t *testing.T) {
	pair := unpack(t)
	for _, test := range []struct {
		shape, store string
		gigabytes    float64 // 4.5 bits a weight, and 8.5 for the embedding
	}{
		{"llama-3.1-8b", pair.Target, 4.48}, {"llama-3.2-1b", pair.Draft, 0.83}, {"qwen3-8b", pair.Target, 4.57},
		{"qwen3-14b", pair.Target, 8.25}, {"qwen3-0.6b", pair.Draft, 0.41}, {"qwen3-30b-a3b", pair.Target, 22.6}, {"mid", pair.Target, 0.279}, {"mid-draft", pair.Draft, 0.028},
	} {
		shape, err := inflate.ShapeOf(test.shape)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(t, test.store, shape, tensor.Q4_0)
		if got := float64(m.Bytes()) / 1e9; got < 0.97*test.gigabytes || got > 1.03*test.gigabytes {
			t.Errorf("%s: %.3f GB, want %.2f", test.shape, got, test.gigabytes)
		}
	}
}

func TestErrors(t *testing.T) {
	pair := unpack(t)
	store, err := weights.Open(t.Context(), pair.Target, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inflate.ShapeOf("llama-9"); err == nil {
		t.Error("an unknown shape: no error")
	}
	for name, shape := range map[string]inflate.Shape{
		"no room for the constant": {Name: "x", Width: 384, Layers: 8, Heads: 3, KVHeads: 1, HeadDim: 128, FFN: 1024, Vocab: 4096},
		"fewer layers":             {Name: "x", Width: 512, Layers: 7, Heads: 4, KVHeads: 1, HeadDim: 128, FFN: 1024, Vocab: 4096},
		"too few heads":            {Name: "x", Width: 512, Layers: 8, Heads: 2, KVHeads: 1, HeadDim: 128, FFN: 1024, Vocab: 4096},
		"no heads":                 {Name: "x", Width: 512, Layers: 8, Heads: 1, KVHeads: 1, HeadDim: 64, FFN: 1024, Vocab: 4096},
		"part of a block":          {Name: "x", Width: 500, Layers: 8, Heads: 4, KVHeads: 1, HeadDim: 128, FFN: 1024, Vocab: 4096},
	} {
		if _, err := inflate.New(t.Context(), store, shape, tensor.Q4_0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := inflate.New(t.Context(), store, wide, tensor.F16); err == nil {
		t.Error("type f16: no error")
	}
	path := filepath.Join(t.TempDir(), "there.gguf")
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := newModel(t, pair.Draft, narrow, tensor.Q4_0).WriteGGUF(t.Context(), path, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	if mine, err := os.ReadFile(path); err != nil || !bytes.Equal(mine, []byte("mine")) {
		t.Errorf("the file is now %q, %v", mine, err)
	}
}

// Blocks of many columns hold what is placed in them, rounded: the finer the type, the nearer logits are to the source's.
func TestTypesOfLargeBlocks(t *testing.T) {
	draft := unpack(t).Draft
	want := logits(t, writeStore(t, newModel(t, draft, inflate.Shape{Name: inflate.Same}, tensor.Q8_0)))
	shape := narrow
	shape.FFN = 768
	for d, most := range map[tensor.DType]float64{tensor.Q6_K: 0.1, tensor.Q3_K: 0.5, tensor.IQ3_XXS: 0.6} {
		got := logits(t, writeStore(t, newModel(t, draft, shape, d)))
		sum, n := 0.0, 0
		for i := range want {
			common, count := 0.0, float64(len(want[i]))
			for j := range want[i] {
				common += float64(got[i][j]-want[i][j]) / count
			}
			for j := range want[i] {
				sum, n = sum+math.Abs(float64(got[i][j]-want[i][j])-common), n+1
			}
		}
		if off := sum / float64(n); off > most {
			t.Errorf("%v: logits are off by %.3f on average, want at most %.2f", d, off, most)
		}
	}
	if _, err := inflate.New(t.Context(), openStore(t, draft), narrow, tensor.Q6_K); err == nil {
		t.Error("rows that blocks do not fill: no error")
	}
}
