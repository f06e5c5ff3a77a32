package spectest

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/spec"
)

// World is a target, a draft model and a machine, simulated: tokens are hashes, and time is computed, so that a run is
// deterministic and takes no longer than the policy itself.
type World struct {
	Seed uint64
	// Right is how often the draft's most probable token is the target's where the draft gives it probability p. If it is nil, that is p.
	Right func(p float64, position int) float64
	// Sure bounds the draft's probability of its most probable token.
	Sure [2]float64

	Layers  int
	Ring    int
	Read    float64                // seconds of a pass
	Tail    float64                // probability that the read of a layer stalls for as long as a pass
	Noise   float64                // relative, of computing
	Compute func(rows int) float64 // seconds of a pass with the weights in memory
	Draft   func(rows int) float64 // and of a draft forward
	Project float64

	// Cold is the mean number of experts to read for a row, after so many rows of the tree, that is its parent's first child or a later one; nil means
	// none. Each takes Expert seconds, in which nothing is computed.
	Cold   func(before int, sibling bool) float64
	Expert float64

	// Pace, if not nil, returns by what factor all that a pass takes is longer than the rest says.
	Pace func(pass int) float64
}

const (
	WorldVocab  = 32
	WorldPrompt = 16
)

// OutOfSight is what World.Right returns where the target's token is none that the draft finds probable.
const OutOfSight = -1

func unit(x uint64) float64 { return float64(x>>11) * 0x1p-53 }

// distribution returns the draft's probabilities by rank after a state, and the rank of the target's token.
func (w *World) distribution(state uint64, position int) (p [WorldVocab]float64, target int) {
	p[0] = w.Sure[0] + (w.Sure[1]-w.Sure[0])*unit(Mix(state, w.Seed+1))
	rest := 1 - p[0]
	for i := 1; i < WorldVocab; i++ {
		p[i] = min(0.5*rest, p[i-1])
		rest -= p[i]
	}
	right := p[0]
	if w.Right != nil {
		right = w.Right(p[0], position)
	}
	if right == OutOfSight {
		return p, WorldVocab - 1
	}
	u := unit(Mix(state, w.Seed+2))
	if u < right {
		return p, 0
	}
	// Where the first is wrong, the others keep their proportions.
	u = (u - right) / (1 - right) * (1 - p[0])
	for target = 1; target < WorldVocab-1 && u >= p[target]; target++ {
		u -= p[target]
	}
	return p, target
}

func simToken(state uint64, rank int) int32 {
	return int32((int(state%WorldVocab) + 5*rank) % WorldVocab)
}

// simDraft is the draft model of a World.
type simDraft struct {
	*HashModel
	w        *World
	rows     []int // of the forwards of a pass
	forwards int   // of all
}

func (d *simDraft) Forward(ctx context.Context, b spec.Batch) (int, error) {
	d.rows = append(d.rows, len(b.Tokens))
	d.forwards++
	return d.HashModel.Forward(ctx, b)
}

func (d *simDraft) Project(_ context.Context, dst []float32, rows []int) error {
	for i, row := range rows {
		state, _ := d.After(row)
		p, _ := d.w.distribution(state, len(d.Committed)+d.Pending[row].Depth)
		for rank, p := range p {
			dst[i*WorldVocab+int(simToken(state, rank))] = float32(math.Log(max(p, 1e-9)))
		}
	}
	return nil
}

// WorldResult is what a run took and gave.
type WorldResult struct {
	Passes, Tokens, Nodes, Drafted int
	Seconds                        float64
	PerPass                        []WorldPass
}

type WorldPass struct {
	PredictedTokens, PredictedSeconds float64
	Tokens                            int
	Seconds                           float64
	Rows                              int
}

// Rate is in tokens per second.
func (r WorldResult) Rate() float64 { return float64(r.Tokens) / r.Seconds }

// Run generates with a policy for a number of passes. Reads go on from one pass to the next through a ring of buffers, read
// by read and layer by layer, whatever the policy believes of them.
func (w *World) Run(t testing.TB, policy spec.Policy, passes, maxNodes int) WorldResult {
	t.Helper()
	return w.RunShared(t, []spec.Policy{policy}, passes, maxNodes)
}

// worldText is one of the texts that a World generates.
type worldText struct {
	policy   spec.Policy
	sequence []int32
	target   *HashModel
	model    *simDraft
	draft    *spec.Draft
	tree     spec.Tree
	path     []int
	o        spec.Observation
}

// newText returns a text with a prompt of its own.
func (w *World) newText(t testing.TB, policy spec.Policy, seed uint64) *worldText {
	t.Helper()
	x := &worldText{policy: policy, sequence: make([]int32, 0, 1<<14), target: NewHashModel(1, WorldVocab, 1<<20)} // which keeps states only
	x.model = &simDraft{HashModel: NewHashModel(1, WorldVocab, 1<<20), w: w}
	x.draft = spec.NewDraft(x.model, 128)
	for i := range WorldPrompt {
		x.sequence = append(x.sequence, int32(Mix(seed, uint64(i))%WorldVocab))
	}
	for _, m := range []*HashModel{x.target, x.model.HashModel} {
		if _, err := m.Forward(t.Context(), spec.Batch{Tokens: x.sequence[:WorldPrompt-1]}); err != nil {
			t.Fatal(err)
		}
		path := make([]int, WorldPrompt-1)
		for i := range path {
			path[i] = i
		}
		if err := m.Commit(path); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// grow makes the tree of a pass.
func (x *worldText) grow(t testing.TB, maxNodes int) {
	t.Helper()
	x.model.rows = x.model.rows[:0]
	x.tree.Reset(x.sequence[len(x.sequence)-1], maxNodes, 1<<10)
	x.draft.Start(x.sequence, &x.tree)
	if err := x.policy.Grow(t.Context(), x.sequence, &x.tree, x.draft); err != nil {
		t.Fatal(err)
	}
	x.o = spec.Observation{Tree: &x.tree}
}

// verify appends the tokens of a pass.
func (x *worldText) verify(t testing.TB) {
	t.Helper()
	if _, err := x.target.Forward(t.Context(), spec.Batch{Tokens: x.tree.Tokens(), Parents: x.tree.Parents()}); err != nil {
		t.Fatal(err)
	}
	x.path = x.path[:0]
	for node := 0; node >= 0; {
		state, _ := x.target.After(node)
		_, rank := x.model.w.distribution(state, len(x.target.Committed)+x.target.Pending[node].Depth)
		x.o.Next = simToken(state, rank)
		x.path = append(x.path, node)
		x.sequence = append(x.sequence, x.o.Next)
		node = x.tree.Child(node, x.o.Next)
	}
	x.o.Path = x.path
	if err := x.target.Commit(x.path); err != nil {
		t.Fatal(err)
	}
	if err := x.draft.Settle(x.path); err != nil {
		t.Fatal(err)
	}
}

// RunShared generates several texts that share all passes, each with a policy of its own. Their draft forwards are computed together as far as each
// has another one to do. Predictions and times by pass are those of the first text, tokens and nodes those of all.
func (w *World) RunShared(t testing.TB, policies []spec.Policy, passes, maxNodes int) WorldResult {
	t.Helper()
	random := rand.New(rand.NewPCG(w.Seed, 7))
	var texts []*worldText
	for i, policy := range policies {
		texts = append(texts, w.newText(t, policy, w.Seed+uint64(i)))
	}
	var result WorldResult
	clock, io := 0.0, 0.0
	done := make([]float64, w.Layers)
	for _, x := range texts {
		if starter, ok := x.policy.(spec.Starter); ok {
			const rows = WorldPrompt - 1
			compute := w.Compute(rows) * (1 + w.Noise*(2*random.Float64()-1))
			starter.Start(spec.Prefill{
				Target: spec.Forwards{Batches: 1, Rows: rows, Seconds: max(compute, w.Read)}, Draft: spec.Forwards{Batches: 1, Rows: rows, Seconds: w.Draft(rows)},
				IO: spec.IOStats{IOSeconds: w.Read, IOWaitSeconds: max(0, w.Read-compute), Experts: w.experts(rows)},
			})
		}
	}
	for i := range passes {
		started, pace := clock, 1.0
		if w.Pace != nil {
			pace = w.Pace(i)
		}
		pass, rows := WorldPass{}, 0
		for _, x := range texts {
			x.grow(t, maxNodes)
			rows += x.tree.Len()
		}
		first := texts[0]
		pass.Rows = first.tree.Len()
		if f, ok := first.policy.(spec.Forecaster); ok {
			pass.PredictedTokens, pass.PredictedSeconds = f.Forecast()
		}

		// Time.
		clock += w.draftTogether(texts, pace)
		compute := pace * w.Compute(rows) * (1 + w.Noise*(2*random.Float64()-1))
		var reads spec.IOStats
		for i := range w.Layers {
			if w.Read > 0 {
				freed := i - w.Ring
				if freed < 0 {
					freed += w.Layers
				}
				read := pace * w.Read / float64(w.Layers)
				if random.Float64() < w.Tail {
					read += w.Read
				}
				io = max(io, done[freed]) + read
				reads.IOSeconds += read
				reads.IOWaitSeconds += max(0, io-clock)
				clock = max(clock, io)
			}
			clock += compute / float64(w.Layers)
			done[i] = clock
		}
		for _, x := range texts {
			x.o.IO = reads
		}
		if w.Cold != nil { // which one text alone has
			w.readExperts(random, &first.o, pace)
			clock += first.o.IO.ExpertWaitSeconds
			io += first.o.IO.ExpertWaitSeconds
			for i := range done {
				done[i] += first.o.IO.ExpertWaitSeconds // of which the layers of the next pass see the end alone
			}
		}

		longest := 0
		for _, x := range texts {
			x.verify(t)
			longest = max(longest, len(x.path))
			result.Tokens += len(x.path)
			result.Nodes += x.tree.Len() - 1
		}
		clock += w.Project * float64(longest)
		for _, x := range texts {
			x.o.Target = spec.Shared{Forwards: 1, Rows: rows, Texts: len(texts)}
			x.o.VerifySeconds = clock - started - x.o.DraftSeconds
			if observer, ok := x.policy.(spec.Observer); ok {
				observer.Observe(x.o)
			}
		}
		pass.Tokens, pass.Seconds = len(first.path), clock-started
		result.PerPass = append(result.PerPass, pass)
	}
	result.Passes, result.Seconds = passes, clock
	for _, x := range texts {
		result.Drafted += x.model.forwards
	}
	return result
}

// draftTogether returns the time of the draft forwards of a pass of some pace, and tells each text of those it had rows in.
func (w *World) draftTogether(texts []*worldText, pace float64) (seconds float64) {
	for wave := 0; ; wave++ {
		rows, sharing := 0, 0
		for _, x := range texts {
			if wave < len(x.model.rows) {
				rows += x.model.rows[wave]
				sharing++
			}
		}
		if sharing == 0 {
			return seconds
		}
		seconds += pace * w.Draft(rows)
		for _, x := range texts {
			if wave < len(x.model.rows) {
				x.o.DraftSeconds = seconds
				x.o.Draft.Forwards++
				x.o.Draft.Rows += rows
				x.o.Draft.Texts += sharing
			}
		}
	}
}

// experts returns how many of them rows use, if there are any.
func (w *World) experts(rows int) (n int64) {
	if w.Cold == nil {
		return 0
	}
	for before := range rows {
		n += int64(w.Cold(before, false))
	}
	return n
}

// readExperts fills in what a pass of some pace reads of experts, by chance a quarter more or less than the mean.
func (w *World) readExperts(random *rand.Rand, o *spec.Observation, pace float64) {
	seen := map[int32]bool{}
	for node, parent := range o.Tree.Parents() {
		mean := w.Cold(node, node > 0 && seen[parent])
		seen[parent] = node > 0 || seen[parent]
		cold := int(mean*(0.75+0.5*random.Float64()) + 0.5)
		o.Cold = append(o.Cold, [4]int{cold / 4, (cold + 1) / 4, (cold + 2) / 4, (cold + 3) / 4})
		o.IO.ExpertReads += int64(cold)
	}
	o.IO.Experts = w.experts(o.Tree.Len())
	o.IO.ExpertBytes, o.IO.BytesRead = o.IO.ExpertReads, o.IO.ExpertReads
	o.IO.ExpertWaitSeconds = pace * float64(o.IO.ExpertReads) * w.Expert
	o.IO.IOWaitSeconds += o.IO.ExpertWaitSeconds
	o.IO.IOSeconds += o.IO.ExpertWaitSeconds
}
