package spec

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/layers"
)

// world is a target, a draft model and a device, simulated: tokens are hashes, and time is computed, so that a run is
// deterministic and takes no longer than the policy itself.
type world struct {
	seed uint64
	// right is how often the draft's most probable token is the target's where the draft gives it probability p; nil = p.
	right func(p float64, position int) float64
	// sure bounds the draft's probability of its most probable token.
	sure [2]float64

	layers  int
	ring    int
	read    float64 // seconds of a pass
	tail    float64 // probability that the read of a layer stalls for as long as a pass
	noise   float64 // relative, of computing
	compute Curve
	draft   Curve
	project float64
}

const (
	simVocab  = 32
	simPrompt = 16
)

func unit(x uint64) float64 { return float64(x>>11) * 0x1p-53 }

// distribution returns the draft's probabilities by rank after a state, and the rank of the target's token.
func (w *world) distribution(state uint64, position int) (p [simVocab]float64, target int) {
	p[0] = w.sure[0] + (w.sure[1]-w.sure[0])*unit(mix(state, w.seed+1))
	rest := 1 - p[0]
	for i := 1; i < simVocab; i++ {
		p[i] = min(0.5*rest, p[i-1])
		rest -= p[i]
	}
	right := p[0]
	if w.right != nil {
		right = w.right(p[0], position)
	}
	if right == outOfSight {
		return p, simVocab - 1
	}
	u := unit(mix(state, w.seed+2))
	if u < right {
		return p, 0
	}
	// Where the first is wrong, the others keep their proportions.
	u = (u - right) / (1 - right) * (1 - p[0])
	for target = 1; target < simVocab-1 && u >= p[target]; target++ {
		u -= p[target]
	}
	return p, target
}

func simToken(state uint64, rank int) int32 {
	return int32((int(state%simVocab) + 5*rank) % simVocab)
}

// simDraft is the draft model of a world.
type simDraft struct {
	*hashModel
	w        *world
	seconds  float64
	forwards int
}

func (d *simDraft) Forward(ctx context.Context, b layers.Batch) (int, error) {
	d.seconds += d.w.draft.At(len(b.Tokens))
	d.forwards++
	return d.hashModel.Forward(ctx, b)
}

func (d *simDraft) Project(_ context.Context, dst []float32, rows []int) error {
	for i, row := range rows {
		state, _ := d.after(row)
		p, _ := d.w.distribution(state, len(d.committed)+d.pending[row].depth)
		for rank, p := range p {
			dst[i*simVocab+int(simToken(state, rank))] = float32(math.Log(max(p, 1e-9)))
		}
	}
	return nil
}

// simResult is what a run took and gave.
type simResult struct {
	passes, tokens, nodes, drafted int
	seconds                        float64
	perPass                        []simPass
}

type simPass struct {
	predictedTokens, predictedSeconds float64
	tokens                            int
	seconds                           float64
	rows                              int
}

// rate is in tokens per second.
func (r simResult) rate() float64 { return float64(r.tokens) / r.seconds }

// run generates with a policy for a number of passes. Reads go on from one pass to the next through a ring of buffers, read
// by read and layer by layer, whatever the policy believes of them.
func (w *world) run(t testing.TB, policy Policy, passes, maxNodes int) simResult {
	t.Helper()
	random := rand.New(rand.NewPCG(w.seed, 7))
	target := newHashModel(1, simVocab, 1<<20) // keeps states only
	model := &simDraft{hashModel: newHashModel(1, simVocab, 1<<20), w: w}
	draft, err := newDraft(model, 128)
	if err != nil {
		t.Fatal(err)
	}
	sequence := make([]int32, 0, 1<<14)
	for i := range simPrompt {
		sequence = append(sequence, int32(mix(w.seed, uint64(i))%simVocab))
	}
	follow := func(m *hashModel, tokens []int32) {
		path := []int{}
		if _, err := m.Forward(ctx, layers.Batch{Tokens: tokens}); err != nil {
			t.Fatal(err)
		}
		for i := range tokens {
			path = append(path, i)
		}
		if err := m.Commit(path); err != nil {
			t.Fatal(err)
		}
	}
	follow(target, sequence[:simPrompt-1])
	follow(model.hashModel, sequence[:simPrompt-1])

	var result simResult
	var tree Tree
	clock, io := 0.0, 0.0
	done := make([]float64, w.layers)
	path := []int{}
	for range passes {
		started, spent := clock, model.seconds
		tree.Reset(sequence[len(sequence)-1], maxNodes, 1<<10)
		draft.start(sequence, &tree)
		if err := policy.Grow(ctx, sequence, &tree, draft); err != nil {
			t.Fatal(err)
		}
		drafting := model.seconds - spent
		pass := simPass{rows: tree.Len()}
		if f, ok := policy.(Forecaster); ok {
			pass.predictedTokens, pass.predictedSeconds = f.Predicted()
		}

		// Time.
		clock += drafting
		compute := w.compute.At(tree.Len()) * (1 + w.noise*(2*random.Float64()-1))
		o := Observation{Tree: &tree, DraftSeconds: drafting}
		for i := range w.layers {
			if w.read > 0 {
				freed := i - w.ring
				if freed < 0 {
					freed += w.layers
				}
				read := w.read / float64(w.layers)
				if random.Float64() < w.tail {
					read += w.read
				}
				io = max(io, done[freed]) + read
				o.IO.IOSeconds += read
				o.IO.IOWaitSeconds += max(0, io-clock)
				clock = max(clock, io)
			}
			clock += compute / float64(w.layers)
			done[i] = clock
		}

		// Tokens.
		if _, err := target.Forward(ctx, layers.Batch{Tokens: tree.Tokens(), Parents: tree.Parents()}); err != nil {
			t.Fatal(err)
		}
		path = path[:0]
		for node := 0; node >= 0; {
			state, _ := target.after(node)
			_, rank := w.distribution(state, len(target.committed)+target.pending[node].depth)
			o.Next = simToken(state, rank)
			path = append(path, node)
			sequence = append(sequence, o.Next)
			node = tree.Child(node, o.Next)
		}
		o.Path = path
		clock += w.project * float64(len(path))
		if err := target.Commit(path); err != nil {
			t.Fatal(err)
		}
		if err := draft.settle(path); err != nil {
			t.Fatal(err)
		}
		o.VerifySeconds = clock - started - drafting
		if observer, ok := policy.(Observer); ok {
			observer.Observe(o)
		}
		pass.tokens, pass.seconds = len(path), clock-started
		result.perPass = append(result.perPass, pass)
		result.nodes += tree.Len() - 1
		result.tokens += len(path)
	}
	result.passes, result.seconds, result.drafted = passes, clock, model.forwards
	return result
}
