package spec

import (
	"context"
	"errors"
	"time"

	"github.com/lever-go/lever/spec/sampling"
)

// StopMatcher is a stopMatcher whose parts tests may look at.
type StopMatcher struct{ stopMatcher }

func (m *StopMatcher) Reset(stops []string)  { m.reset(stops) }
func (m *StopMatcher) Push(text string) bool { return m.push(text) }
func (m *StopMatcher) Release()              { m.release() }
func (m *StopMatcher) Held() string          { return string(m.held) }
func (m *StopMatcher) Found() string         { return m.found }

// TakeShown returns what is shown since the last call.
func (m *StopMatcher) TakeShown() string {
	shown := string(m.shown)
	m.shown = m.shown[:0]
	return shown
}

// Begin prepares for a request, whose passes OnePass runs one by one.
func (g *Generator) Begin(ctx context.Context, req Request) error {
	return errors.Join(g.begin(req, nil), g.prefill(ctx, req, time.Now()))
}

// OnePass runs one pass.
func (g *Generator) OnePass(ctx context.Context) error {
	before := len(g.sequence)
	return errors.Join(g.pass(ctx), g.output.send(g.sequence[before:]))
}

// NodesOfPass returns the number of nodes of the latest tree.
func (g *Generator) NodesOfPass() int { return g.tree.Len() }

// Constrain makes a tree follow a constraint.
func (t *Tree) Constrain(c Constraint, state int) { t.constrain(c, state) }

// State returns the state of the constraint after a node.
func (t *Tree) State(node int) int { return t.states[node] }

// DrawnFrom adds a candidate to the distribution from which the set says that it was drawn.
func (s *CandidateSet) DrawnFrom(c sampling.TokenWeight) { s.from = append(s.from, c) }

// Restrict is restrict.
var Restrict = restrict
