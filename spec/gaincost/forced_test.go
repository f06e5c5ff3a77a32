package gaincost

import (
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// spell allows any token, then 5, 6, 7 and 8, and so on.
type spell struct{}

func (spell) Next(state int, token int32) int {
	if state > 0 && token != int32(4+state) {
		return -1
	}
	return (state + 1) % 5
}

func (spell) Allowed(state int) []uint64 {
	if state == 0 {
		return []uint64{1<<20 - 1}
	}
	return []uint64{1 << (4 + state)}
}

// steady is a Lever on a device on which every pass takes a second.
type steady struct{ *Lever }

func (s steady) Observe(o spec.Observation) {
	o.DraftSeconds, o.VerifySeconds = 0, 1
	s.Lever.Observe(o)
}

// Tokens that must follow take no draft of their own, are as sure as the tokens before them, and what follows them is drafted, too.
func TestLeverDraftsPastForcedTokens(t *testing.T) {
	target := spectest.NewHashModel(1, 20, 1000)
	costs := Costs{Compute: line(1, 1e-4), Draft: line(1e-2, 1e-4)}
	forced, chosen := 0, 0 // nodes
	o := spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 0), Policy: steady{mustLever(t, LeverOptions{Costs: costs, NoLookup: true})}}
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 200, Constraint: spell{}, Observe: func(o spec.Observation) {
		for node := range o.Tree.Len() - 1 {
			parent := int(o.Tree.Parents()[node+1])
			if _, must := o.Tree.Set(parent, spec.FromConstraint); must {
				forced++
			} else if o.Tree.Depths()[parent] > 3 {
				chosen++
			}
		}
	}}
	s := spectest.Generate(t, o, req, nil).Stats
	if forced < 3*s.Passes || chosen < s.Passes || s.AcceptedPerPass < 9 {
		t.Errorf("%d forced nodes and %d below such, %.1f tokens a pass in %d passes", forced, chosen, s.AcceptedPerPass, s.Passes)
	}
	t.Logf("%d forced nodes and %d below such, %.1f tokens a pass in %d passes", forced, chosen, s.AcceptedPerPass, s.Passes)
}
