package prune

import (
	"context"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
	"github.com/lever-go/lever/spec/gaincost"
)

// platform is what passes take somewhere: estimates for 8 billion parameters in 4 bits, with a draft of 1 billion.
type platform struct {
	name  string
	costs gaincost.Costs
}

// The curves are around what is published of Snapdragon 8 Gen 3 and X Elite processors: some ten tokens/s in decoding, which
// memory bounds, and a few dozens in prompts.
var (
	cpuCurve = gaincost.Curve{Points: []gaincost.Point{
		{Rows: 1, Seconds: 0.11}, {Rows: 4, Seconds: 0.17}, {Rows: 8, Seconds: 0.26}, {Rows: 16, Seconds: 0.46}, {Rows: 32, Seconds: 0.86}, {Rows: 64, Seconds: 1.66},
		{Rows: 128, Seconds: 3.26},
	}}
	npuCurve = gaincost.Curve{Padded: true, Points: []gaincost.Point{
		{Rows: 1, Seconds: 0.10}, {Rows: 8, Seconds: 0.13}, {Rows: 16, Seconds: 0.18}, {Rows: 32, Seconds: 0.28}, {Rows: 64, Seconds: 0.48}, {Rows: 128, Seconds: 0.88},
	}}
	draftCurve = gaincost.Curve{Points: []gaincost.Point{{Rows: 1, Seconds: 0.015}, {Rows: 8, Seconds: 0.035}, {Rows: 16, Seconds: 0.06}}}
)

const platformLayers = 32

// platforms returns those that are compared. The weights lie in memory but for the last, whose passes read for longer than they compute.
func platforms() []platform {
	flash := gaincost.Costs{Compute: npuCurve, Draft: draftCurve, Ring: 4}
	for range platformLayers {
		flash.Layers = append(flash.Layers, gaincost.LayerCost{Read: gaincost.Latency{Mean: 1.2 / platformLayers}})
	}
	return []platform{
		{computeBound, gaincost.Costs{Compute: cpuCurve, Draft: draftCurve}},
		{"NPU in padded batches", gaincost.Costs{Compute: npuCurve, Draft: draftCurve}},
		{ioBound, flash},
	}
}

const (
	computeBound = "CPU"
	ioBound      = "NPU, weights on flash"
)

// clock tells a policy that passes took what they take on a machine, and adds that up.
type clock struct {
	spec.Policy
	truth *gaincost.CostModel
	costs gaincost.Costs
	draft *countedDraft

	drafting, verifying float64 // seconds
}

func newClock(policy spec.Policy, d platform, draft spec.Decoder) (*clock, error) {
	truth, err := gaincost.NewCostModel(d.costs, 0)
	return &clock{Policy: policy, truth: truth, costs: d.costs, draft: &countedDraft{Decoder: draft, curve: d.costs.Draft}}, err
}

// Grow lets the policy grow its tree. What the draft model did on the prompt does not count.
func (c *clock) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	c.draft.seconds = 0
	return c.Policy.Grow(ctx, sequence, tree, draft)
}

// Observe passes on a pass with the times of the machine.
func (c *clock) Observe(o spec.Observation) {
	o.DraftSeconds = c.draft.seconds
	o.VerifySeconds = c.truth.PrunedPass(o.Tree.Len(), o.Cuts, o.DraftSeconds, float64(len(o.Path))) - o.DraftSeconds
	o.IO = spec.IOStats{}
	for _, l := range c.costs.Layers {
		o.IO.IOSeconds += l.Read.Mean
	}
	if o.IO.IOSeconds > 0 {
		o.IO.IOWaitSeconds = max(0, o.VerifySeconds-c.computing(&o))
	}
	c.drafting, c.verifying = c.drafting+o.DraftSeconds, c.verifying+o.VerifySeconds
	if observer, learns := c.Policy.(spec.Observer); learns {
		observer.Observe(o)
	}
}

// computing returns the seconds that the target computes in a pass.
func (c *clock) computing(o *spec.Observation) (seconds float64) {
	from, rows := 0.0, o.Tree.Len()
	for _, cut := range o.Cuts {
		seconds += (cut.Done - from) * c.costs.Compute.At(rows)
		from, rows = cut.Done, cut.Rows
	}
	return seconds + (1-from)*c.costs.Compute.At(rows)
}

// pricedClock is a clock around a policy that knows what passes cost.
type pricedClock struct {
	*clock
	earlyexit.Pricer
}

// countedDraft adds up what the forwards of a draft model take on a machine.
type countedDraft struct {
	spec.Decoder
	curve   gaincost.Curve
	seconds float64
}

func (d *countedDraft) Forward(ctx context.Context, b spec.Batch) (int, error) {
	d.seconds += d.curve.At(len(b.Tokens))
	return d.Decoder.Forward(ctx, b)
}
