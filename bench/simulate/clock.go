package simulate

import (
	"context"
	"math/rand/v2"

	"github.com/lever-go/lever/spec"
)

// clock is a policy that passes all on to another one, and tells it the times of a simulated device.
type clock struct {
	policy spec.Policy
	draft  *countedDraft
	h      *hardware
	random *rand.Rand
	// meanReads hides from the policy how the time of reads varies: it is told of their mean so far.
	meanReads    bool
	reads, total float64

	now, io  float64   // the end of the latest pass, and of the latest read
	computed []float64 // when each layer was computed last

	passes, tokens, drafted int
	forwards                int     // of the draft
	drafting, waiting       float64 // seconds
	passSeconds             []float64
}

func newClock(policy spec.Policy, draft *countedDraft, h *hardware, seed uint64) *clock {
	return &clock{policy: policy, draft: draft, h: h, random: rand.New(rand.NewPCG(seed, 1)), computed: make([]float64, h.layers)}
}

// Start tells the policy what the prompt takes on the device. The clock goes on from the first pass only.
func (c *clock) Start(p spec.Prefill) {
	starter, ok := c.policy.(spec.Starter)
	if !ok || p.Target.Rows == 0 {
		return
	}
	p.IO, p.Target.Seconds, p.Draft.Seconds = spec.IOStats{}, 0, 0
	for range p.Target.Batches {
		read, compute := 0.0, c.h.compute.At(p.Target.Rows/p.Target.Batches)
		for range c.h.layers {
			read += c.h.draw(c.random)
		}
		p.IO.BytesRead++
		p.IO.IOSeconds += read
		p.IO.IOWaitSeconds += max(0, read-compute)
		p.Target.Seconds += max(read, compute)
	}
	if e := c.h.experts; e != nil {
		p.IO.Experts = int64(e.uses(p.Target.Rows))
	}
	for range p.Draft.Batches {
		p.Draft.Seconds += c.h.draft.At(p.Draft.Rows / p.Draft.Batches)
	}
	starter.Start(p)
}

// Grow lets the policy grow its tree, and takes the draft's time.
func (c *clock) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	c.draft.rows = c.draft.rows[:0]
	return c.policy.Grow(ctx, sequence, tree, draft)
}

// Observe moves the device on by a pass, and lets the policy learn from it.
func (c *clock) Observe(o spec.Observation) {
	began := c.now
	drafting, several := 0.0, c.h.together()
	for _, rows := range c.draft.rows {
		drafting += c.h.draft.At(several * rows)
	}
	c.now += drafting
	io, wait := c.pass(several*o.Tree.Len(), o.Cuts)
	o.IO = spec.IOStats{BytesRead: 1}
	expertIO, expertWait := c.routed(&o)
	io, wait = io+expertIO, wait+expertWait
	c.now += c.h.project * float64(several*len(o.Path))
	o.DraftSeconds, o.VerifySeconds = drafting, c.now-began-drafting
	o.IO.IOSeconds, o.IO.IOWaitSeconds = io, wait
	o.IO.BytesRead = max(1, o.IO.ExpertBytes) // of a target with experts, no other bytes are
	c.passes++
	c.tokens += several * len(o.Path)
	c.drafted += o.Tree.Len() - 1
	c.drafting += drafting
	c.forwards += len(c.draft.rows)
	c.waiting += wait
	c.passSeconds = append(c.passSeconds, c.now-began)
	if c.meanReads {
		c.reads, c.total = c.reads+1, c.total+io
		o.IO.IOSeconds = c.total / c.reads
	}
	if observer, ok := c.policy.(spec.Observer); ok {
		observer.Observe(o)
	}
}

// Predicted passes on what the policy expects.
func (c *clock) Forecast() (accepted, seconds float64) {
	if f, ok := c.policy.(spec.Forecaster); ok {
		return f.Forecast()
	}
	return 0, 0
}

// pass reads and computes all layers. Reads go on ahead of computing, also while the draft works, as far as the ring has room. After each cut, fewer rows are
// computed.
func (c *clock) pass(rows int, cuts []spec.Cut) (io, wait float64) {
	for i := range c.h.layers {
		for len(cuts) > 0 && float64(i) >= cuts[0].Done*float64(c.h.layers) {
			rows, cuts = c.h.together()*cuts[0].Rows, cuts[1:]
		}
		compute := c.h.compute.At(rows) / float64(c.h.layers)
		freed := (i - c.h.ring + c.h.layers) % c.h.layers // whose buffer is free once it is computed
		seconds := c.h.draw(c.random)
		c.io = max(c.io, c.computed[freed]) + seconds
		io += seconds
		wait += max(0, c.io-c.now)
		c.now = max(c.now, c.io) + compute
		c.computed[i] = c.now
	}
	return io, wait
}

// countedDraft counts the rows of a draft model's forwards.
type countedDraft struct {
	spec.Decoder
	rows []int // since the latest Grow began
}

func (d *countedDraft) Forward(ctx context.Context, b spec.Batch) (int, error) {
	d.rows = append(d.rows, len(b.Tokens))
	return d.Decoder.Forward(ctx, b)
}
