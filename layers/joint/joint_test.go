package joint_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/layers/joint"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tensor"
)

// slow are weights that take a time to read in each pass, and count the passes.
type slow struct {
	layers.Weights
	pass   time.Duration
	mu     sync.Mutex
	passes int
	rows   []int // of each pass
}

func (w *slow) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	if name == "block.0.attn_norm" {
		w.mu.Lock()
		w.passes++
		w.mu.Unlock()
		time.Sleep(w.pass)
	}
	return w.Weights.Parts(ctx, name)
}

// trace notes the rows of passes.
func (w *slow) trace(part string, rows int, _ time.Time) {
	if part == "embedding" {
		w.mu.Lock()
		w.rows = append(w.rows, rows)
		w.mu.Unlock()
	}
}

var shape = arch.Transformer{
	Width: 32, Layers: 2, Heads: 2, KVHeads: 1, HeadDim: 16, FFN: 64, Vocab: 50, MaxPositions: 400, NormEps: 1e-5, Tied: true,
	Rope: layers.Rope{Theta: 10000},
}

// newSlow makes random weights of the shape.
func newSlow(t testing.TB, seed uint64, pass time.Duration) *slow {
	t.Helper()
	rng, m := rand.New(rand.NewPCG(seed, 1)), &layers.Memory{}
	set := func(name string, d tensor.DType, rows, cols int, mean, deviation float64) {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(mean + deviation*rng.NormFloat64())
		}
		if err := m.SetMatrix(name, d, rows, cols, values); err != nil {
			t.Fatal(err)
		}
	}
	matrix := func(name string, rows, cols int) {
		set(name, tensor.F16, rows, cols, 0, 2/math.Sqrt(float64(cols)))
	}
	norm := func(name string) { set(name, tensor.F32, 1, shape.Width, 1, 0.1) }
	matrix("embedding", shape.Vocab, shape.Width)
	for i := range shape.Layers {
		block := fmt.Sprintf("block.%d.", i)
		norm(block + "attn_norm")
		matrix(block+"q", shape.Heads*shape.HeadDim, shape.Width)
		matrix(block+"k", shape.KVHeads*shape.HeadDim, shape.Width)
		matrix(block+"v", shape.KVHeads*shape.HeadDim, shape.Width)
		matrix(block+"o", shape.Width, shape.Heads*shape.HeadDim)
		norm(block + "mlp_norm")
		matrix(block+"gate", shape.FFN, shape.Width)
		matrix(block+"up", shape.FFN, shape.Width)
		matrix(block+"down", shape.Width, shape.FFN)
	}
	norm("final_norm")
	return &slow{Weights: m, pass: pass}
}

func (w *slow) decoder(t testing.TB, rows int) *layers.Decoder {
	t.Helper()
	d, err := shape.Decoder(w, arch.Options{MaxBatch: rows, Trace: w.trace})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// world is a group of a target and a draft.
type world struct {
	group         *joint.Group
	target, draft *joint.Model
	weights       *slow
	decoders      [2]*layers.Decoder
}

const pass = time.Second // over the target

func newWorld(t testing.TB, rows int) *world {
	w := &world{group: joint.NewGroup(), weights: newSlow(t, 1, pass)}
	w.decoders = [2]*layers.Decoder{w.weights.decoder(t, rows), newSlow(t, 2, pass/50).decoder(t, rows)}
	w.draft, w.target = w.group.Add(w.decoders[1], joint.Options{}), w.group.Add(w.decoders[0], joint.Options{})
	return w
}

// sequence returns a new sequence of a decoder.
func sequence(t testing.TB, m *joint.Model, d *layers.Decoder) (s *layers.Sequence) {
	t.Helper()
	if err := m.Do(func() (err error) { s, err = d.NewSequence(); return err }); err != nil {
		t.Fatal(err)
	}
	return s
}

// options returns the models as a member sees them.
func (w *world) options(t testing.TB, m *joint.Member, policy spec.Policy) spec.Options {
	o := spec.Options{
		Target: m.Decoder(w.target, sequence(t, w.target, w.decoders[0])), Policy: policy, Budget: 7, MaxBatch: 100, ProjectAhead: 2, FirstInPrefill: true,
	}
	if policy != nil {
		o.Draft = m.Decoder(w.draft, sequence(t, w.draft, w.decoders[1]))
	}
	return o
}

func generate(ctx context.Context, o spec.Options, req spec.Request, emit func(spec.Piece) error) (spec.Result, error) {
	g, err := spec.NewGenerator(o)
	if err != nil {
		return spec.Result{}, err
	}
	return g.Generate(ctx, req, emit)
}

func prompt(seed uint64, n int) []int32 {
	rng, tokens := rand.New(rand.NewPCG(seed, 7)), make([]int32, n)
	for i := range tokens {
		tokens[i] = rng.Int32N(int32(shape.Vocab))
	}
	return tokens
}

func policy(t testing.TB, i int) spec.Policy {
	t.Helper()
	kinds := []spec.PolicyKind{baseline.ChainKind, baseline.SpecInferKind, baseline.SequoiaKind}
	if i%4 == 3 {
		return nil
	}
	p, err := kinds[i%4].New(7)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTextsAreThoseOfOneAlone: whatever members do at the same time, each gets the text that it gets alone.
func TestTextsAreThoseOfOneAlone(t *testing.T) {
	requests := func(i int) spec.Request {
		r := spec.Request{Prompt: prompt(uint64(i), 3+37*(i%5)), MaxTokens: 5 + 7*(i%4)}
		if i%3 == 1 {
			r.Sampling = sampling.Options{Temperature: 1, Seed: uint64(i)}
		}
		return r
	}
	const members = 9
	synctest.Test(t, func(t *testing.T) {
		alone := make([]spec.Result, members)
		for i := range members {
			w := newWorld(t, 32)
			m := w.group.Join()
			var err error
			if alone[i], err = generate(t.Context(), w.options(t, m, policy(t, i)), requests(i), nil); err != nil {
				t.Fatal(err)
			}
			m.Leave()
		}
		w := newWorld(t, 32)
		var group sync.WaitGroup
		for i := range members {
			group.Go(func() {
				time.Sleep(time.Duration(i) * pass / 3)
				m := w.group.Join()
				defer m.Leave()
				got, err := generate(t.Context(), w.options(t, m, policy(t, i)), requests(i), func(spec.Piece) error {
					time.Sleep(time.Duration(i%3) * pass / 10) // who listens may be slow
					return nil
				})
				if err != nil || !slices.Equal(got.Tokens, alone[i].Tokens) {
					t.Errorf("member %d: %v, %v, alone %v", i, err, got.Tokens, alone[i].Tokens)
				}
			})
		}
		group.Wait()
	})
}

// TestPassesAreShared: members that decode plainly take as many passes together as one alone.
func TestPassesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32)
		var group sync.WaitGroup
		var members []*joint.Member
		for range 4 {
			members = append(members, w.group.Join())
		}
		for i, m := range members {
			group.Go(func() {
				defer m.Leave()
				if _, err := generate(t.Context(), w.options(t, m, nil), spec.Request{Prompt: prompt(uint64(i), 1), MaxTokens: 20}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if w.weights.passes > 20+4 { // the first ones wait for nobody, as nobody knows how long a pass takes
			t.Errorf("%d passes for 4 texts of 20 tokens", w.weights.passes)
		}
	})
}

// TestShared: a member is told of the passes that it had rows in, and of the rows that others had in them.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32)
		join := func() (*joint.Member, *joint.Decoder) {
			m := w.group.Join()
			return m, m.Decoder(w.target, sequence(t, w.target, w.decoders[0]))
		}
		forward := func(d *joint.Decoder, tokens ...int32) {
			if _, err := d.Forward(t.Context(), layers.Batch{Tokens: tokens}); err != nil {
				t.Error(err)
			}
		}
		check := func(d *joint.Decoder, want [3]int) {
			t.Helper()
			if passes, rows, members := d.Shared(); [3]int{passes, rows, members} != want {
				t.Errorf("%d passes, %d rows, %d members, want %v", passes, rows, members, want)
			}
		}
		one, first := join()
		defer one.Leave()
		forward(first, 1)
		check(first, [3]int{1, 1, 1})
		other, second := join()
		defer other.Leave()
		var group sync.WaitGroup
		group.Go(func() { forward(first, 2) })
		group.Go(func() { forward(second, 3, 4, 5) })
		group.Wait()
		check(first, [3]int{2, 5, 3})
		check(second, [3]int{1, 4, 2})
	})
}

// TestShortRequestBehindLongOnes: a request that comes while long prompts are taken in and long answers generated has its first token within two
// passes and the one under way, and nobody's pass is filled by a prompt.
func TestShortRequestBehindLongOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		long := func(seed uint64, tokens int) {
			m := w.group.Join()
			defer m.Leave()
			o := w.options(t, m, nil)
			o.MaxBatch = tokens // all of a prompt at once, so that what is left of it is never less than the short one
			if _, err := generate(ctx, o, spec.Request{Prompt: prompt(seed, tokens)}, nil); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		group.Go(func() { long(1, 300) })
		group.Go(func() { long(2, 2) })
		time.Sleep(5*pass + pass/2)
		began, first := time.Now(), time.Duration(0)
		m := w.group.Join()
		_, err := generate(ctx, w.options(t, m, nil), spec.Request{Prompt: prompt(3, 10), MaxTokens: 3}, func(spec.Piece) error {
			if first == 0 {
				first = time.Since(began)
			}
			return nil
		})
		m.Leave()
		if err != nil || first > 3*pass {
			t.Errorf("%v; the first token after %v, passes take %v", err, first, pass)
		}
		cancel()
		group.Wait()
		for i, rows := range w.weights.rows[:5] {
			if i > 1 && rows > 3*32/8+1 { // until then the other may not have asked yet
				t.Errorf("pass %d has %d rows", i, rows)
			}
		}
	})
}

// TestChainsLeaveTimeForOthers: while there are several members, passes over prompts alone have no more rows than is said, so that who joins need not wait
// for one that is full.
func TestChainsLeaveTimeForOthers(t *testing.T) {
	const rows, chains = 32, 10
	for members, want := range map[int]int{1: rows, 2: chains} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{group: joint.NewGroup(), weights: newSlow(t, 1, pass)}
			w.decoders[0] = w.weights.decoder(t, rows)
			w.target = w.group.Add(w.decoders[0], joint.Options{Chains: chains})
			var group sync.WaitGroup
			all := make([]*joint.Member, members)
			for i := range all {
				all[i] = w.group.Join()
			}
			for i, m := range all {
				group.Go(func() {
					defer m.Leave()
					if _, err := generate(t.Context(), w.options(t, m, nil), spec.Request{Prompt: prompt(uint64(i), 101), MaxTokens: 1}, nil); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			for i, n := range w.weights.rows[:3] { // of which all members have rows
				if n != want {
					t.Errorf("pass %d of %d members has %d rows, want %d", i, members, n, want)
				}
			}
		})
	}
}

// TestNobodyWaitsForThoseWhoAskForNothing: one who takes time over a piece of text is waited for no longer than a pass, and if it does so again and
// again, once.
func TestNobodyWaitsForThoseWhoAskForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32)
		idle := w.group.Join()
		if _, err := generate(t.Context(), w.options(t, idle, nil), spec.Request{Prompt: prompt(1, 1), MaxTokens: 2}, nil); err != nil {
			t.Fatal(err)
		}
		m := w.group.Join() // and idle asks for nothing
		began := time.Now()
		if _, err := generate(t.Context(), w.options(t, m, nil), spec.Request{Prompt: prompt(2, 1), MaxTokens: 10}, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 11*pass {
			t.Errorf("10 passes took %v", took)
		}
		slow, stop := context.WithCancel(t.Context())
		asked, ended := 0, make(chan struct{})
		go func() {
			defer close(ended)
			_, err := generate(slow, w.options(t, idle, nil), spec.Request{Prompt: prompt(1, 1), MaxTokens: 100}, func(spec.Piece) error {
				asked++
				time.Sleep(3*pass + pass/3)
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		began = time.Now()
		if _, err := generate(t.Context(), w.options(t, m, nil), spec.Request{Prompt: prompt(2, 1), MaxTokens: 40}, nil); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		stop()
		<-ended
		if most := time.Duration(40+2+asked) * pass; took > most || asked < 8 {
			t.Errorf("40 passes took %v, more than %v, beside one who asked for %d", took, most, asked)
		}
		idle.Leave()
		idle.Leave()
		began = time.Now()
		if _, err := generate(t.Context(), w.options(t, m, nil), spec.Request{Prompt: prompt(2, 1), MaxTokens: 10}, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 10*pass {
			t.Errorf("10 passes took %v once the other had left", took)
		}
		m.Leave()
	})
}

// TestCancelledMemberLeaves: it returns at the end of the pass under way, with its sequence as it was, and the others go on.
func TestCancelledMemberLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32)
		a, b := w.group.Join(), w.group.Join()
		s := sequence(t, w.target, w.decoders[0])
		one, other := a.Decoder(w.target, s), b.Decoder(w.target, w.decoders[0].Sequence)
		ctx, cancel := context.WithTimeout(t.Context(), pass*3/2)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			for range 3 {
				if _, err := other.Forward(t.Context(), layers.Batch{Tokens: []int32{1, 2}, Parents: []int32{-1, -1}}); err != nil {
					t.Error(err)
				}
			}
			b.Leave()
		})
		began := time.Now()
		_, err := one.Forward(ctx, layers.Batch{Tokens: prompt(1, 100)}) // in pieces
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 2*pass || s.Pending() != 0 {
			t.Errorf("%v after %v with %d rows pending", err, took, s.Pending())
		}
		a.Leave()
		group.Wait()
		if other.Len() != 0 || w.decoders[0].Pending() != 6 {
			t.Errorf("the other has %d rows pending", w.decoders[0].Pending())
		}
	})
}

// TestFaultsAreOnesOwn: a hook that fails, or a batch that is wrong, is told to the member that brought it alone.
func TestFaultsAreOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32)
		failing := errors.New("the hook fails")
		batches := []layers.Batch{
			{Tokens: []int32{1, 2}, Hook: func(int, []int, []float32) ([]int, error) { return nil, failing }, HookAfter: []int{0}},
			{Tokens: []int32{1000}},
			{Tokens: []int32{1, 2, 3}},
			{Tokens: []int32{4}, Parents: []int32{-1}},
		}
		var members []*joint.Member
		for range batches {
			members = append(members, w.group.Join())
		}
		errs := make([]error, len(batches))
		var group sync.WaitGroup
		for i, m := range members {
			d := m.Decoder(w.target, sequence(t, w.target, w.decoders[0]))
			group.Go(func() {
				_, errs[i] = d.Forward(t.Context(), batches[i])
				if i > 1 {
					errs[i] = errors.Join(errs[i], d.Project(t.Context(), make([]float32, d.Vocab()), []int{0}))
				}
				m.Leave()
			})
		}
		group.Wait()
		if !errors.Is(errs[0], failing) || errs[1] == nil || !strings.Contains(errs[1].Error(), "1000") || errs[2] != nil || errs[3] != nil {
			t.Errorf("%v", errs)
		}
	})
}
