package layers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"pgregory.net/rapid"
)

// mostSequences is how many sequences there are at once at most in the test of random steps.
const mostSequences = 4

// sequenceModel makes the decoders of one model.
type sequenceModel struct {
	name    string
	decoder func(t testing.TB, maxRows int) *layers.Decoder
}

// sequenceModels are models of every part that keeps something of the text or of a pass.
func sequenceModels(t testing.TB) (models []sequenceModel) {
	scalar := scalarModels()
	for _, name := range []string{"gpt-oss", "lfm2", "gemma3n"} { // windows and experts, convolution, streams and inputs of layers
		models = append(models, sequenceModel{name, scalar[name].decoder})
	}
	for _, kv := range []tensor.DType{tensor.F16, tensor.Q8_0, tensor.Q4_0} {
		cfg := small(qwen3)
		cfg.HeadDim = 32
		w := randomWeights(t, cfg, tensor.Q8_0)
		models = append(models, sequenceModel{kv.String(), func(t testing.TB, maxRows int) *layers.Decoder {
			return newDecoder(t, cfg, w, arch.Options{Context: 512, MaxBatch: maxRows, KV: kv})
		}})
	}
	return models
}

// pair is a sequence and a decoder that has this sequence alone.
type pair struct {
	sequence *layers.Sequence
	alone    *layers.Decoder
	parents  []int32
}

// interleaving is a decoder with several sequences on which random steps are done, and what each step should do.
type interleaving struct {
	together *layers.Decoder
	pairs    []*pair
	spare    []*layers.Decoder
	logits   []float32
	want     []float32
}

// TestSequencesEqualSingleOnes: whatever is done to sequences of one decoder, each of them computes to the bit what it would alone.
func TestSequencesEqualSingleOnes(t *testing.T) {
	worlds := map[string]*interleaving{}
	names := []string{}
	for _, m := range sequenceModels(t) {
		w := &interleaving{together: m.decoder(t, 12)}
		for range mostSequences {
			w.spare = append(w.spare, m.decoder(t, 16))
		}
		w.logits, w.want = make([]float32, w.together.Vocab()), make([]float32, w.together.Vocab())
		w.pairs = []*pair{{sequence: w.together.Sequence, alone: w.takeSpare()}}
		worlds[m.name], names = w, append(names, m.name)
	}
	rapid.Check(t, func(t *rapid.T) {
		w := worlds[rapid.SampledFrom(names).Draw(t, "model")]
		w.reset(t)
		if rapid.IntRange(0, 3).Draw(t, "long") == 0 { // texts of more than a page
			w.prompt(t, w.pairs[0], 256+rapid.IntRange(0, 4).Draw(t, "length"))
		}
		for range 100 {
			w.step(t)
		}
	})
}

// reset leaves one empty sequence.
func (w *interleaving) reset(t *rapid.T) {
	for len(w.pairs) > 1 {
		w.close(len(w.pairs) - 1)
	}
	truncate(t, w.together, 0)
	truncate(t, w.pairs[0].alone, 0)
	w.pairs[0].parents = nil
}

func (w *interleaving) takeSpare() *layers.Decoder {
	d := w.spare[len(w.spare)-1]
	w.spare = w.spare[:len(w.spare)-1]
	return d
}

// close closes a sequence, which is not the first.
func (w *interleaving) close(i int) {
	p := w.pairs[i]
	p.sequence.Close()
	_ = p.alone.Truncate(0)
	w.spare = append(w.spare, p.alone)
	w.pairs = slices.Delete(w.pairs, i, i+1)
}

// prompt gives a sequence n more tokens.
func (w *interleaving) prompt(t *rapid.T, p *pair, n int) {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i * i % 31)
	}
	if _, err := p.sequence.Forward(ctx, layers.Batch{Tokens: tokens}); err != nil {
		t.Fatal(err)
	}
	path := make([]int, n)
	for i := range path {
		path[i] = i
	}
	if err := p.sequence.Commit(path); err != nil {
		t.Fatal(err)
	}
	forward(t, p.alone, tokens, nil)
	commitAll(t, p.alone)
}

// step does one random thing.
func (w *interleaving) step(t *rapid.T) {
	i := rapid.IntRange(0, len(w.pairs)-1).Draw(t, "sequence")
	p := w.pairs[i]
	switch action := rapid.IntRange(0, 15).Draw(t, "action"); {
	case action < 8:
		w.forward(t)
	case action < 11:
		w.commit(t, p)
	case action < 12:
		n := rapid.IntRange(0, len(p.parents)).Draw(t, "kept")
		if err := errors.Join(p.sequence.Rollback(n), p.alone.Rollback(n)); err != nil {
			t.Fatal(err)
		}
		p.parents = p.parents[:n]
	case action < 13:
		w.truncate(t, p, rapid.IntRange(max(0, p.alone.Len()-8), p.alone.Len()).Draw(t, "length"))
	case action < 15 && len(w.pairs) < mostSequences:
		w.begin(t, p, rapid.SampledFrom([]string{"new", "fork", "fork", "read"}).Draw(t, "how"))
	case i > 0:
		w.close(i)
	}
	for _, p := range w.pairs {
		if !slices.Equal(p.sequence.Tokens(), p.alone.Tokens()) || p.sequence.Pending() != p.alone.Pending() {
			t.Fatalf("text %v and %d pending, want %v and %d", p.sequence.Tokens(), p.sequence.Pending(), p.alone.Tokens(), p.alone.Pending())
		}
	}
}

// forward runs one pass over some sequences and compares all its rows with what each sequence gives alone. A pass may fail as a whole.
func (w *interleaving) forward(t *rapid.T) {
	var parts []layers.Part
	var of []*pair
	for _, p := range w.pairs {
		if rapid.IntRange(0, 2).Draw(t, "out") == 0 || len(p.parents) > 20 {
			continue
		}
		tokens := rapid.SliceOfN(rapid.Int32Range(0, 39), 1, 6).Draw(t, "tokens")
		parents := make([]int32, len(tokens))
		for i := range parents {
			parents[i] = rapid.Int32Range(-1, int32(len(p.parents)+i-1)).Draw(t, "parent")
		}
		if rapid.IntRange(0, 9).Draw(t, "wrong") == 0 {
			parents[0] = int32(len(p.parents)) // itself
		}
		parts, of = append(parts, layers.Part{Sequence: p.sequence, Batch: layers.Batch{Tokens: tokens, Parents: parents}}), append(of, p)
	}
	if rapid.IntRange(0, 19).Draw(t, "fails") == 0 {
		failing := errors.New("the hook fails")
		for i := range parts {
			parts[i].Batch.HookAfter = []int{0}
			parts[i].Batch.Hook = func(int, []int, []float32) ([]int, error) { return nil, failing }
		}
		err := w.together.ForwardAll(ctx, parts)
		if right := slices.ContainsFunc(parts, func(p layers.Part) bool { return p.Err == nil }); errors.Is(err, failing) != right {
			t.Fatal(err)
		}
		return
	}
	if err := w.together.ForwardAll(ctx, parts); err != nil {
		t.Fatal(err)
	}
	for i, p := range of {
		b := parts[i].Batch
		first, err := p.alone.Forward(ctx, b)
		if (err == nil) != (parts[i].Err == nil) || err != nil && err.Error() != parts[i].Err.Error() {
			t.Fatalf("got %v, alone %v", parts[i].Err, err)
		}
		if err != nil {
			continue
		}
		if first != parts[i].First {
			t.Fatalf("first row %d, alone %d", parts[i].First, first)
		}
		p.parents = append(p.parents, b.Parents...)
		for row := first; row < first+len(b.Tokens); row++ {
			if err := errors.Join(p.sequence.Project(ctx, w.logits, []int{row}), p.alone.Project(ctx, w.want, []int{row})); err != nil {
				t.Fatal(err)
			}
			sameBits(t, fmt.Sprintf("row %d of %v below %d tokens", row, p.parents, p.alone.Len()), w.logits, w.want)
		}
	}
}

// commit accepts the path to a random row.
func (w *interleaving) commit(t *rapid.T, p *pair) {
	var path []int
	for row := rapid.IntRange(-1, len(p.parents)-1).Draw(t, "accepted"); row >= 0; row = int(p.parents[row]) {
		path = append(path, row)
	}
	slices.Reverse(path)
	if err := errors.Join(p.sequence.Commit(path), p.alone.Commit(path)); err != nil {
		t.Fatal(err)
	}
	p.parents = nil
}

// truncate shortens a text, which may be refused.
func (w *interleaving) truncate(t *rapid.T, p *pair, n int) {
	switch got, want := p.sequence.Truncate(n), p.alone.Truncate(n); {
	case got == nil && want == nil:
		p.parents = nil
	case errors.Is(got, layers.ErrNotKept) && want == nil: // a longer text that this one was forked from has left it behind
		if err := p.sequence.Rollback(0); err != nil {
			t.Fatal(err)
		}
		w.replay(t, p.sequence.Tokens(), p.alone)
		p.parents = nil
	case !errors.Is(got, layers.ErrNotKept) || !errors.Is(want, layers.ErrNotKept):
		t.Fatalf("truncate to %d: %v, alone %v", n, got, want)
	}
}

// replay makes a decoder hold a text.
func (w *interleaving) replay(t *rapid.T, text []int32, d *layers.Decoder) {
	truncate(t, d, 0)
	if len(text) > 0 {
		forward(t, d, text, nil)
		commitAll(t, d)
	}
}

// begin adds a sequence, which has the text of p unless it is new.
func (w *interleaving) begin(t *rapid.T, p *pair, how string) {
	added := &pair{alone: w.takeSpare()}
	var err error
	if how == "fork" {
		added.sequence, err = p.sequence.Fork()
	} else {
		added.sequence, err = w.together.NewSequence()
	}
	if err != nil {
		t.Fatal(err)
	}
	if how == "read" {
		var state bytes.Buffer
		if err := errors.Join(p.sequence.WriteState(&state), added.sequence.ReadState(&state)); err != nil {
			t.Fatal(err)
		}
	}
	w.replay(t, added.sequence.Tokens(), added.alone)
	w.pairs = append(w.pairs, added)
}

// TestHooksOfParts: a hook sees the rows of its sequence alone, whole, and drops no others.
func TestHooksOfParts(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.F16)
	d, alone := newDecoder(t, cfg, w, arch.Options{MaxBatch: 7}), newDecoder(t, cfg, w, arch.Options{})
	other, err := d.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	star := []int32{-1, 0, 0, 0, 0}
	seen := 0
	even := func(_ int, rows []int, hidden []float32) ([]int, error) {
		seen++
		if !slices.Equal(rows, []int{0, 1, 2, 3, 4}) || len(hidden) != 5*d.Width() {
			return nil, fmt.Errorf("rows %v with %d elements", rows, len(hidden))
		}
		return []int{0, 2, 4}, nil
	}
	parts := []layers.Part{
		{Sequence: d.Sequence, Batch: layers.Batch{Tokens: []int32{1, 2, 3, 4, 5}, Parents: star, Hook: even, HookAfter: []int{1}}},
		{Sequence: other, Batch: layers.Batch{Tokens: []int32{5, 4, 3, 2, 1}, Parents: star, Hook: even, HookAfter: []int{0}}},
	}
	if err := d.ForwardAll(ctx, parts); err != nil || parts[0].Err != nil || parts[1].Err != nil {
		t.Fatal(err, parts[0].Err, parts[1].Err)
	}
	if seen != 2 {
		t.Errorf("hooks were called %d times, want 2", seen)
	}
	forward(t, alone, []int32{1, 2, 3, 4, 5}, star)
	sameBits(t, "row 4 of the first", d.Hidden(4), alone.Hidden(4))
	truncate(t, alone, 0)
	forward(t, alone, []int32{5, 4, 3, 2, 1}, star)
	sameBits(t, "row 2 of the second", other.Hidden(2), alone.Hidden(2))
	if d.Hidden(1) != nil || other.Hidden(3) != nil {
		t.Error("rows that were dropped have hidden states")
	}
}

// TestProjectAll: logits of rows of several sequences are those that each has alone, and what is wrong with one leaves the others.
func TestProjectAll(t *testing.T) {
	large := small(llama)
	large.Vocab = 3000 // more than are computed at a time
	models := scalarModels()
	for name, d := range map[string]*layers.Decoder{
		"bias": models["phi"].decoder(t, 16), "soft cap": models["gemma"].decoder(t, 16),
		"large": newDecoder(t, large, randomWeights(t, large, tensor.Q8_0), arch.Options{MaxBatch: 10}),
	} {
		other, err := d.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		forward(t, d, []int32{1, 2, 3, 4, 5}, nil)
		if _, err := other.Forward(ctx, layers.Batch{Tokens: []int32{9, 8, 7, 6, 5, 4}}); err != nil {
			t.Fatal(err)
		}
		all := []layers.Projection{
			{Sequence: other, Rows: []int{5, 1, 0, 2}}, {Sequence: d.Sequence, Rows: []int{5}}, {Sequence: d.Sequence, Rows: []int{4, 0, 2, 3, 1, 4, 4, 4}},
			{Sequence: other, Rows: []int{3}},
		}
		for i := range all {
			all[i].Logits = make([]float32, len(all[i].Rows)*d.Vocab())
		}
		all[3].Logits = all[3].Logits[1:]
		if err := d.ProjectAll(ctx, all); err != nil {
			t.Fatal(err)
		}
		if all[0].Err != nil || all[1].Err == nil || all[2].Err != nil || all[3].Err == nil {
			t.Errorf("%s: %v, %v, %v, %v", name, all[0].Err, all[1].Err, all[2].Err, all[3].Err)
		}
		for _, i := range []int{0, 2} {
			want := make([]float32, len(all[i].Logits))
			if err := all[i].Sequence.Project(ctx, want, all[i].Rows); err != nil {
				t.Fatal(err)
			}
			sameBits(t, name, all[i].Logits, want)
		}
	}
}

// TestSequenceErrors: what is wrong with one sequence leaves the others as they are.
func TestSequenceErrors(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.F16)
	d, foreign := newDecoder(t, cfg, w, arch.Options{Context: 8}), newDecoder(t, cfg, w, arch.Options{})
	closed, err := d.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	closed.Close()
	fork, err := d.Fork()
	if err != nil {
		t.Fatal(err)
	}
	batch := layers.Batch{Tokens: []int32{1, 2, 3}}
	parts := []layers.Part{
		{Sequence: d.Sequence, Batch: batch}, {Sequence: d.Sequence, Batch: batch}, {Sequence: closed, Batch: batch},
		{Sequence: foreign.Sequence, Batch: batch}, {Sequence: fork, Batch: layers.Batch{Tokens: make([]int32, 9)}},
	}
	if err := d.ForwardAll(ctx, parts); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "two parts", "closed", "another decoder", "context full"} {
		if got := fmt.Sprint(parts[i].Err); want == "" && parts[i].Err != nil || !strings.Contains(got, want) {
			t.Errorf("part %d: %v, want %q", i, got, want)
		}
	}
	if d.Pending() != 3 || fork.Pending() != 0 || foreign.Pending() != 0 {
		t.Errorf("%d, %d and %d rows are pending", d.Pending(), fork.Pending(), foreign.Pending())
	}
	if _, err := closed.Fork(); err == nil {
		t.Error("a closed sequence is forked")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := d.Project(cancelled, make([]float32, d.Vocab()), []int{2}); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d.Close()
	if _, err := fork.Forward(ctx, batch); err == nil {
		t.Error("a sequence of a closed decoder computes")
	}
	if _, err := d.NewSequence(); err == nil {
		t.Error("a closed decoder has new sequences")
	}
}

// TestForksSharePages: full pages are held once, and what one writes the other does not see.
func TestForksSharePages(t *testing.T) {
	cfg := small(qwen3)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.F16), arch.Options{})
	forward(t, d, make([]int32, 600), nil)
	commitAll(t, d)
	before := d.Memory()
	fork, err := d.Fork()
	if err != nil {
		t.Fatal(err)
	}
	page := before / 3 // of all layers
	if got := d.Memory(); got != before+page {
		t.Errorf("with a fork caches take %d bytes, want %d: the page that is not full is copied", got, before+page)
	}
	if err := fork.Truncate(256); err != nil {
		t.Fatal(err)
	}
	if got := d.Memory(); got != before {
		t.Errorf("with a fork of one page caches take %d bytes, want %d", got, before)
	}
	if err := fork.Truncate(255); err != nil {
		t.Fatal(err)
	}
	forward(t, d, []int32{1}, nil)
	want := logits(t, d, 0)
	truncate(t, d, 600)
	if _, err := fork.Forward(ctx, layers.Batch{Tokens: []int32{9}}); err != nil {
		t.Fatal(err)
	}
	forward(t, d, []int32{1}, nil)
	sameBits(t, "after the fork went on another way", logits(t, d, 0), want)
	if got := d.Memory(); got != before+page {
		t.Errorf("with a fork that writes to its page caches take %d bytes, want %d", got, before+page)
	}
	fork.Close()
	if got := d.Memory(); got != before {
		t.Errorf("after the fork caches take %d bytes, want %d", got, before)
	}
}

// TestPassOverSequencesDoesNotAllocate: in the steady state nothing is allocated for any number of sequences.
func TestPassOverSequencesDoesNotAllocate(t *testing.T) {
	pool := kernels.NewPool(2)
	defer pool.Close()
	for _, name := range []string{"lfm2", "gpt-oss"} {
		m := scalarModels()[name]
		m.pool = pool
		d := m.decoder(t, 8)
		other, err := d.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		tokens, parents, path := []int32{1, 2, 3}, []int32{-1, 0, 0}, []int{0, 2}
		parts := []layers.Part{{Sequence: d.Sequence}, {Sequence: other}}
		step := func() {
			for i := range parts {
				parts[i].Batch = layers.Batch{Tokens: tokens, Parents: parents}
			}
			if err := d.ForwardAll(ctx, parts); err != nil {
				t.Fatal(err)
			}
			for i := range parts {
				if err := parts[i].Sequence.Commit(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 10 {
			step()
		}
		if n := testing.AllocsPerRun(50, step); n != 0 {
			t.Errorf("%s: %v allocations in a pass over two sequences", name, n)
		}
	}
}
