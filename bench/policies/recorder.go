package policies

import (
	"context"
	"slices"
	"time"

	"github.com/lever-go/lever/spec"
)

// Pass is what one pass of the target took and gave.
type Pass struct {
	Rows     int     `json:"rows"`     // of the tree, its root included
	Accepted int     `json:"accepted"` // tokens added
	Seconds  float64 `json:"seconds"`
	Draft    float64 `json:"draft_seconds"`    // growing the tree and keeping the draft model in step
	Wait     float64 `json:"wait_seconds"`     // for reads, within verification
	Overhead float64 `json:"overhead_seconds"` // of the policy itself: growing the tree but for the draft model's work, and learning
	// What the policy predicted; 0 if it does not.
	PredictedAccepted float64 `json:"predicted_accepted,omitempty"`
	PredictedSeconds  float64 `json:"predicted_seconds,omitempty"`
	Tree              *Tree   `json:"tree,omitempty"`
}

// Tree is a recorded token tree.
type Tree struct {
	Tokens  []int32   `json:"tokens"`
	Parents []int32   `json:"parents"`
	Probs   []float32 `json:"probs"`
	Path    []int     `json:"path"` // accepted nodes, the root first
	Next    int32     `json:"next"` // the target's token after the last of them
}

// recorder passes everything on to a policy and notes what comes of it.
type recorder struct {
	policy  spec.Policy
	draft   *timedModel
	trees   bool
	passes  []Pass
	growing float64 // seconds of the latest Grow, without the draft model's work
}

// Start lets the policy learn from a prefill.
func (r *recorder) Start(p spec.Prefill) {
	if starter, ok := r.policy.(spec.Starter); ok {
		starter.Start(p)
	}
}

// Grow lets the policy grow its tree.
func (r *recorder) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	began, drafting := time.Now(), r.draft.seconds
	err := r.policy.Grow(ctx, sequence, tree, draft)
	r.growing = time.Since(began).Seconds() - (r.draft.seconds - drafting)
	return err
}

// Observe notes a pass and lets the policy learn from it.
func (r *recorder) Observe(o spec.Observation) {
	p := Pass{
		Rows: o.Tree.Len(), Accepted: len(o.Path), Seconds: o.DraftSeconds + o.VerifySeconds,
		Draft: o.DraftSeconds, Wait: o.IO.IOWaitSeconds, Overhead: r.growing,
	}
	if f, ok := r.policy.(spec.Forecaster); ok {
		p.PredictedAccepted, p.PredictedSeconds = f.Forecast()
	}
	if r.trees {
		p.Tree = &Tree{
			Tokens: slices.Clone(o.Tree.Tokens()), Parents: slices.Clone(o.Tree.Parents()), Probs: slices.Clone(o.Tree.Probs()),
			Path: slices.Clone(o.Path), Next: o.Next,
		}
	}
	if observer, ok := r.policy.(spec.Observer); ok {
		began := time.Now()
		observer.Observe(o)
		p.Overhead += time.Since(began).Seconds()
	}
	r.passes = append(r.passes, p)
}

// take returns the passes noted since it was called last.
func (r *recorder) take() []Pass {
	passes := r.passes
	r.passes = nil
	return passes
}

// timedModel counts the seconds that a model computes.
type timedModel struct {
	spec.Decoder
	seconds float64
}

func (m *timedModel) Forward(ctx context.Context, b spec.Batch) (int, error) {
	defer m.count(time.Now())
	return m.Decoder.Forward(ctx, b)
}

func (m *timedModel) Project(ctx context.Context, dst []float32, rows []int) error {
	defer m.count(time.Now())
	return m.Decoder.Project(ctx, dst, rows)
}

func (m *timedModel) count(began time.Time) { m.seconds += time.Since(began).Seconds() }
