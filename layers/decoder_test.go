package layers_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

var ctx = context.Background()

// drawTokens draws n tokens of the small vocabulary.
func drawTokens(t *rapid.T, n int) []int32 {
	return rapid.SliceOfN(rapid.Int32Range(0, 89), n, n).Draw(t, "tokens")
}

// Every node of a tree has, bit for bit, the logits of plain decoding along its path, and the text goes on from any of them
// as if there never had been a tree.
func TestTreeEqualsPlainDecoding(t *testing.T) {
	for _, c := range []struct {
		kind    bool
		weights tensor.DType
		kv      tensor.DType
	}{{llama, tensor.F16, tensor.F32}, {llama, tensor.Q8_0, tensor.F16}, {qwen3, tensor.Q4_0, tensor.F16}, {qwen3, tensor.F16, tensor.Q8_0}, {llama, tensor.F16, tensor.Q4_0}} {
		kerneltest.Each(t, fmt.Sprintf("qknorm=%v/weights=%v/kv=%v", c.kind, c.weights, c.kv), func(t *testing.T, set *kernels.Set) {
			pool, alone := kerneltest.Pool(t, set, 3), kerneltest.Pool(t, set, 1)
			cfg := small(c.kind)
			if c.kv.Quantized() {
				cfg.HeadDim = 32
			}
			w := randomWeights(t, cfg, c.weights)
			type pair struct{ tree, ref *layers.Decoder }
			lengths, pairs := []int{0, 250}, map[int]pair{} // trees at 250 cross from the first page of the cache to the second
			for _, length := range lengths {
				p := pair{newDecoder(t, cfg, w, arch.Options{Pool: pool, KV: c.kv, MaxBatch: 7}), newDecoder(t, cfg, w, arch.Options{Pool: alone, KV: c.kv})}
				if length > 0 {
					for _, d := range []*layers.Decoder{p.tree, p.ref} {
						forward(t, d, make([]int32, length), nil)
						commitAll(t, d)
					}
				}
				pairs[length] = p
			}
			rapid.Check(t, func(t *rapid.T) {
				length := rapid.SampledFrom(lengths).Draw(t, "length")
				p := pairs[length]
				truncate(t, p.tree, length)
				truncate(t, p.ref, length)
				checkTree(t, p.tree, p.ref)
			})
		})
	}
}

// checkTree grows a random tree in several passes, compares each node with plain decoding, and commits one path.
func checkTree(t *rapid.T, tree, ref *layers.Decoder) {
	var tokens []int32
	var parents []int
	var got [][]float32
	for range rapid.IntRange(1, 3).Draw(t, "passes") {
		batch := drawTokens(t, rapid.IntRange(1, 7).Draw(t, "rows"))
		up := make([]int32, len(batch))
		for i := range up {
			up[i] = rapid.Int32Range(-1, int32(len(tokens)+i-1)).Draw(t, "parent")
			parents = append(parents, int(up[i]))
		}
		first := forward(t, tree, batch, up)
		tokens = append(tokens, batch...)
		for i := range batch {
			got = append(got, logits(t, tree, first+i))
		}
	}
	accepted := rapid.IntRange(0, len(tokens)-1).Draw(t, "accepted")
	var path []int
	for row := accepted; row >= 0; row = parents[row] {
		path = append(path, row)
	}
	slices.Reverse(path)
	next := drawTokens(t, 1)
	commit(t, tree, path...)
	forward(t, tree, next, nil)
	after := logits(t, tree, 0)

	var below func(parent int)
	below = func(parent int) {
		for row := range tokens {
			if parents[row] != parent {
				continue
			}
			sameBits(t, fmt.Sprintf("row %d of %v", row, parents), got[row], decode(t, ref, tokens[row]))
			if row == accepted {
				sameBits(t, fmt.Sprintf("after committing %v of %v", path, parents), after, decode(t, ref, next[0]))
				truncate(t, ref, ref.Len()-1)
			}
			below(row)
			truncate(t, ref, ref.Len()-1)
		}
	}
	below(-1)
}

// A prompt computed in pieces gives the bits of decoding it token by token.
func TestChunkedPrefillEqualsPlainDecoding(t *testing.T) {
	kerneltest.Each(t, "prefill", func(t *testing.T, set *kernels.Set) {
		pool, alone := kerneltest.Pool(t, set, 2), kerneltest.Pool(t, set, 1)
		for _, d := range []tensor.DType{tensor.F16, tensor.Q8_0} {
			cfg := small(qwen3)
			w := randomWeights(t, cfg, d)
			prompt := make([]int32, 70)
			for i := range prompt {
				prompt[i] = int32(i * i % 90)
			}
			want := plain(t, newDecoder(t, cfg, w, arch.Options{Pool: alone}), prompt)
			sizes := []int{1, 16, 33, 69, 70}
			if testing.Short() {
				sizes = []int{33, 69}
			}
			for _, maxBatch := range sizes {
				decoder := newDecoder(t, cfg, w, arch.Options{Pool: pool, MaxBatch: maxBatch})
				forward(t, decoder, prompt, nil)
				sameBits(t, fmt.Sprintf("%v in pieces of %d", d, maxBatch), logits(t, decoder, len(prompt)-1), want)
			}
		}
	})
}

func TestTruncateEqualsPlainDecoding(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.F16)
	text := []int32{3, 1, 4, 1, 5, 9, 2, 6}
	d := newDecoder(t, cfg, w, arch.Options{})
	forward(t, d, text, nil)
	commitAll(t, d)
	forward(t, d, []int32{80, 81}, nil)
	truncate(t, d, 5)
	if d.Len() != 5 || d.Pending() != 0 {
		t.Fatalf("truncated to %d and %d pending rows, want 5 and 0", d.Len(), d.Pending())
	}
	forward(t, d, []int32{7, 8, 60}, nil)
	if err := d.Rollback(2); err != nil {
		t.Fatal(err)
	}
	forward(t, d, []int32{9}, nil)
	want := []int32{3, 1, 4, 1, 5, 7, 8, 9}
	sameBits(t, "after truncate and rollback", logits(t, d, 2), plain(t, newDecoder(t, cfg, w, arch.Options{}), want))
	commitAll(t, d)
	if got := d.Tokens(); !slices.Equal(got, want) {
		t.Errorf("it holds %v, want %v", got, want)
	}
}

func TestTiedHeadIsTheEmbedding(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.F16)
	embedding := slices.Collect(firsts(w.Parts(ctx, "embedding")))[0]
	if err := w.Set("head", embedding); err != nil {
		t.Fatal(err)
	}
	tied := cfg
	tied.Tied = true
	text := []int32{1, 2, 3}
	sameBits(t, "tied head", plain(t, newDecoder(t, tied, w, arch.Options{}), text), plain(t, newDecoder(t, cfg, w, arch.Options{}), text))
}

// firsts returns the first values of the pairs of a sequence.
func firsts[A, B any](seq iter.Seq2[A, B]) iter.Seq[A] {
	return func(yield func(A) bool) {
		for a := range seq {
			if !yield(a) {
				return
			}
		}
	}
}

func TestPaddedVocabulary(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.Q8_0)
	all := newDecoder(t, cfg, w, arch.Options{})
	text := []int32{5, 6, 7}
	want := plain(t, all, text)
	for _, vocab := range []int{10, 16, 17, 80, 89} {
		d := newDecoder(t, cfg, w, arch.Options{Vocab: vocab})
		if d.Vocab() != vocab {
			t.Errorf("vocabulary %d, want %d", d.Vocab(), vocab)
		}
		sameBits(t, fmt.Sprintf("vocabulary of %d", vocab), plain(t, d, text), want[:vocab])
		if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{int32(vocab)}}); err == nil {
			t.Errorf("vocabulary of %d: padding accepted as a token", vocab)
		}
	}
}

func TestForwardErrors(t *testing.T) {
	cfg := small(llama)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.F16), arch.Options{Context: 10, MaxBatch: 4})
	forward(t, d, []int32{1, 2, 3}, nil)
	commitAll(t, d)
	forward(t, d, []int32{4, 5}, nil)
	want := logits(t, d, 1)
	for _, c := range []struct {
		name string
		b    layers.Batch
		want string
		full bool
	}{
		{"no tokens", layers.Batch{}, "no tokens", false},
		{"negative token", layers.Batch{Tokens: []int32{1, -1}}, "token 1 of the batch: id -1", false},
		{"token too large", layers.Batch{Tokens: []int32{90}}, "id 90 is outside the vocabulary of 90", false},
		{"too few parents", layers.Batch{Tokens: []int32{1, 2}, Parents: []int32{0}}, "1 parents for 2 rows", false},
		{"parent is itself", layers.Batch{Tokens: []int32{1}, Parents: []int32{2}}, "parent 2", false},
		{"parent below −1", layers.Batch{Tokens: []int32{1}, Parents: []int32{-2}}, "parent -2", false},
		{"chain too long", layers.Batch{Tokens: make([]int32, 6)}, "position 10: context full", true},
		{"tree too deep", layers.Batch{Tokens: make([]int32, 8), Parents: []int32{-1, 2, 3, 4, 5, 6, 7, 8}}, "position 10", true},
	} {
		_, err := d.Forward(ctx, c.b)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, layers.ErrContextFull) != c.full {
			t.Errorf("%s: got %v (context full: %v), want %q", c.name, err, errors.Is(err, layers.ErrContextFull), c.want)
		}
		if d.Len() != 3 || d.Pending() != 2 {
			t.Fatalf("%s: %d and %d pending rows, want 3 and 2", c.name, d.Len(), d.Pending())
		}
	}
	sameBits(t, "row from before the errors", logits(t, d, 1), want)
	// Width does not use up the context: only depth does.
	forward(t, d, make([]int32, 20), slices.Repeat([]int32{-1}, 20))
	if err := d.Rollback(2); err != nil {
		t.Fatal(err)
	}
	forward(t, d, make([]int32, 5), nil)
	commitAll(t, d)
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{0}}); !errors.Is(err, layers.ErrContextFull) {
		t.Errorf("eleventh row: got %v", err)
	}
}

func TestProjectAndCommitErrors(t *testing.T) {
	cfg := small(llama)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.F16), arch.Options{MaxBatch: 4})
	forward(t, d, make([]int32, 6), []int32{-1, 0, 1, 0, 3, 4})
	dst := make([]float32, 2*d.Vocab())
	for _, c := range []struct {
		dst  []float32
		rows []int
		want string
	}{
		{dst[1:], []int{4, 5}, "179 logits"},
		{dst, []int{4, 6}, "row 6 is not one of 6"},
		{dst, []int{-1, 5}, "row -1"},
		{dst, []int{5, 1}, "the hidden state of row 1 is gone: those of the latest 4"},
	} {
		if err := d.Project(ctx, c.dst, c.rows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("project %v: got %v, want %q", c.rows, err, c.want)
		}
	}
	if d.Hidden(1) != nil || len(d.Hidden(2)) != d.Width() {
		t.Errorf("hidden states: got %d and %d elements, want 0 and %d", len(d.Hidden(1)), len(d.Hidden(2)), d.Width())
	}
	for _, path := range [][]int{{1}, {0, 2}, {0, 1, 2, 3}, {6}, {0, 1, 1}} {
		if err := d.Commit(path); err == nil {
			t.Errorf("commit %v: no error", path)
		}
	}
	if d.Len() != 0 || d.Pending() != 6 {
		t.Errorf("failed commits left %d and %d pending rows", d.Len(), d.Pending())
	}
	commit(t, d, 0, 3, 4)
	if d.Len() != 3 || d.Pending() != 0 {
		t.Errorf("got %d and %d pending rows, want 3 and 0", d.Len(), d.Pending())
	}
}

func TestDecoderErrors(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.F16)
	odd := cfg
	odd.HeadDim = 15
	for _, c := range []struct {
		cfg  arch.Transformer
		opts arch.Options
		want string
	}{
		{odd, arch.Options{}, "head_dim"},
		{cfg, arch.Options{Context: 701}, "a context of 701 is outside 1..700"},
		{cfg, arch.Options{Context: -1}, "a context of -1"},
		{cfg, arch.Options{Vocab: 91}, "a vocabulary of 91"},
		{cfg, arch.Options{MaxBatch: 1 << 30}, "a batch of"},
		{cfg, arch.Options{KV: tensor.BF16}, "bf16"},
	} {
		if _, err := c.cfg.Decoder(w, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := layers.NewDecoder(layers.DecoderConfig{}); err == nil {
		t.Error("a model without parts: no error")
	}
}

// faulty passes tensors on until the countdown ends, and then does what fault says.
type faulty struct {
	layers.Weights
	countdown int
	fault     func(name string) error
}

func (f *faulty) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	f.countdown--
	if f.countdown == 0 {
		if err := f.fault(name); err != nil {
			return func(yield func(tensor.Packed, error) bool) { yield(tensor.Packed{}, err) }
		}
	}
	return f.Weights.Parts(ctx, name)
}

// Whatever fails wherever in a pass, the text and the rows pending before it stay, and decoding goes on with the same bits.
func TestFailedForwardChangesNothing(t *testing.T) {
	cfg := small(qwen3)
	w := randomWeights(t, cfg, tensor.F16)
	want := plain(t, newDecoder(t, cfg, w, arch.Options{}), []int32{1, 2, 3, 4, 5, 6})
	broken := errors.New("broken")
	for reads := 1; reads <= 3*11+1; reads++ {
		source := &faulty{Weights: w}
		d := newDecoder(t, cfg, source, arch.Options{MaxBatch: 4})
		forward(t, d, []int32{1, 2, 3}, nil)
		commitAll(t, d)
		forward(t, d, []int32{4}, nil)
		before := logits(t, d, 0)
		check := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("%s at read %d: got %v", what, reads, err)
			}
			if d.Len() != 3 || d.Pending() != 1 {
				t.Fatalf("%s at read %d: %d and %d pending rows, want 3 and 1", what, reads, d.Len(), d.Pending())
			}
		}
		cancelled, cancel := context.WithCancel(ctx)
		source.countdown, source.fault = reads, func(string) error { cancel(); return nil }
		_, err := d.Forward(cancelled, layers.Batch{Tokens: []int32{50, 51}})
		if reads < 3*11+1 { // the last read of a pass, that of the final norm, is not followed by a check
			check("cancelled", err, context.Canceled)
		} else if err := d.Rollback(1); err != nil {
			t.Fatal(err)
		}
		source.countdown, source.fault = reads, func(string) error { return broken }
		_, err = d.Forward(ctx, layers.Batch{Tokens: []int32{52, 53}})
		check("broken", err, broken)
		sameBits(t, "row from before", logits(t, d, 0), before)
		forward(t, d, []int32{5, 6}, nil)
		sameBits(t, "after a failed pass", logits(t, d, 2), want)
	}
}

func TestWrongTensorsAreRefused(t *testing.T) {
	cfg := small(qwen3)
	for _, c := range []struct {
		name       string
		d          tensor.DType
		rows, cols int
	}{
		{"block.1.q", tensor.F16, 95, 64},
		{"block.1.k", tensor.F16, 48, 64},
		{"block.2.o", tensor.F16, 64, 64},
		{"block.0.down", tensor.F16, 64, 64},
		{"block.0.attn_norm", tensor.F32, 1, 63},
		{"block.0.q_norm", tensor.F32, 1, 64},
		{"head", tensor.F16, 80, 64},
		{"embedding", tensor.F16, 90, 32},
	} {
		w := randomWeights(t, cfg, tensor.F16)
		if err := w.SetMatrix(c.name, c.d, c.rows, c.cols, make([]float32, c.rows*c.cols)); err != nil {
			t.Fatal(err)
		}
		d := newDecoder(t, cfg, w, arch.Options{})
		_, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1}})
		if err == nil {
			err = d.Project(ctx, make([]float32, d.Vocab()), []int{0})
		}
		if err == nil || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s of %v [%d %d]: got %v", c.name, c.d, c.rows, c.cols, err)
		}
	}
	d := newDecoder(t, cfg, &layers.Memory{}, arch.Options{})
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1}}); err == nil || !strings.Contains(err.Error(), "embedding") {
		t.Errorf("no tensors at all: got %v", err)
	}
}

func TestClosedDecoder(t *testing.T) {
	cfg := small(llama)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.F16), arch.Options{})
	forward(t, d, []int32{1}, nil)
	d.Close()
	d.Close()
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1}}); err == nil {
		t.Error("forward: no error")
	}
	if err := d.Project(ctx, make([]float32, d.Vocab()), []int{0}); err == nil {
		t.Error("project: no error")
	}
}

// A decode step allocates nothing.
func TestDecodeStepDoesNotAllocate(t *testing.T) {
	pool := kernels.NewPool(2)
	defer pool.Close()
	for _, c := range []struct{ weights, kv tensor.DType }{{tensor.F16, tensor.F32}, {tensor.Q8_0, tensor.F16}, {tensor.F16, tensor.Q8_0}, {tensor.F16, tensor.Q4_0}} {
		cfg := small(qwen3)
		cfg.HeadDim = 32
		d := newDecoder(t, cfg, randomWeights(t, cfg, c.weights), arch.Options{Pool: pool, KV: c.kv})
		dst := make([]float32, 2*d.Vocab())
		chain, tree, parents := []int32{7}, []int32{1, 2, 3, 4}, []int32{-1, 0, 0, 1}
		rows, path := []int{0, 3}, []int{0, 1}
		step := func() {
			forward(t, d, chain, nil)
			commit(t, d, path[:1]...)
			forward(t, d, tree, parents)
			if err := d.Project(ctx, dst, rows); err != nil {
				t.Fatal(err)
			}
			commit(t, d, path...)
		}
		text := make([]int32, 300) // more keys than attention weighs at once; the steps fit into the pages they take
		forward(t, d, text, nil)
		whole := make([]int, len(text))
		for i := range whole {
			whole[i] = i
		}
		commit(t, d, whole...)
		step()
		if n := testing.AllocsPerRun(50, step); n != 0 {
			t.Errorf("weights %v, KV %v: %v allocations per step", c.weights, c.kv, n)
		}
	}
}

func argmax(x []float32) int32 { return int32(kernels.Default().Argmax(x)) }

// logProb returns the logarithm of the probability of a token.
func logProb(logits []float32, token int32) float64 {
	largest := float64(slices.Max(logits))
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - largest)
	}
	return float64(logits[token]) - largest - math.Log(sum)
}
