package joint

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lever-go/lever/layers"
)

// Group is what shares passes. Its methods, and those of its models and members, may be called from any goroutine.
type Group struct {
	mu      sync.Mutex
	models  []*Model
	members []*Member
	calls   []*call // that wait or are being computed, the one that came first before the others
	busy    bool    // a pass is under way
}

// NewGroup returns a group without models and members.
func NewGroup() *Group { return &Group{} }

// Options describe a model of a [Group].
type Options struct {
	// Piece is the number of rows of a chain that are computed in a pass in which others have rows; the default is three eighths of what a pass holds.
	Piece int
	// Chains is the number of rows of a pass over nothing but chains while there are several members; the default is all that a pass holds. With fewer, who
	// joins waits less, and passes that take long whatever they compute are more.
	Chains int
}

// Model is a decoder whose passes are shared.
type Model struct {
	group   *Group
	decoder *layers.Decoder
	rows    int // of a pass
	piece   int
	chains  int                  // rows of a pass over chains alone
	passes  chan struct{}        // has a value during a pass and whatever else changes sequences
	took    [kinds]time.Duration // a pass of late, by kind
	parts   []layers.Part        // of the pass under way
	heads   []layers.Projection  // of the projection under way
}

// Add adds a decoder, from whose sequences nothing else may compute from now on. Those whose passes are shorter are added before others, and all
// before anybody joins.
func (g *Group) Add(d *layers.Decoder, o Options) *Model {
	m := &Model{group: g, decoder: d, rows: d.MaxRows(), piece: o.Piece, chains: o.Chains, passes: make(chan struct{}, 1)}
	if m.piece < 1 {
		m.piece = max(1, 3*m.rows/8)
	}
	if m.chains < 1 {
		m.chains = m.rows
	}
	g.models = append(g.models, m)
	return m
}

// Do calls f while no pass of the model is under way: to make, fork, save or close sequences.
func (m *Model) Do(f func() error) error {
	m.passes <- struct{}{}
	defer func() { <-m.passes }()
	return f()
}

// Member is one of those who share passes. It asks for one thing at a time.
type Member struct {
	group *Group
	timer *time.Timer
	call  call

	since   time.Time // when it got what it asked for last
	waiting bool      // for a pass under way, or it has asked for nothing so far
	slow    bool      // it took longer than others wait before it asked last
}

// setWaiting sets whether a member waits for a pass that is under way.
func (m *Member) setWaiting(waiting bool) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.waiting, m.since = waiting, time.Now()
}

// Join adds a member, which the others wait for until it leaves.
func (g *Group) Join() *Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := &Member{group: g, timer: time.NewTimer(0), waiting: true}
	m.timer.Stop()
	m.call = call{member: m, done: true, changed: make(chan struct{}, 1)}
	g.members = append(g.members, m)
	return m
}

// Room returns the most rows of a tree of a model that leave room for others in a pass: all that it holds while the member is alone.
func (m *Member) Room(model *Model) int {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if len(m.group.members) > 1 {
		return model.piece
	}
	return model.rows
}

// Leave ends that. Leaving again does nothing.
func (m *Member) Leave() {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = slices.DeleteFunc(g.members, func(other *Member) bool { return other == m })
	g.wake()
}

// The kinds of a call, in the order in which they are computed.
const (
	projection = iota
	forward
	kinds
)

// call is what a member waits for.
type call struct {
	member *Member

	ctx   context.Context
	model *Model
	kind  int
	since time.Time // when it began to wait for the others

	part     layers.Part // of a forward: all that is asked for
	computed int         // rows of it
	piece    int         // and those of the pass under way
	head     layers.Projection
	shared   totals // of its decoder

	done    bool
	err     error
	changed chan struct{} // gets a value when it is time to look again
}

// do has a call computed, and returns its error.
func (g *Group) do(m *Member) error {
	c := &m.call
	g.mu.Lock()
	defer g.mu.Unlock()
	c.since, c.computed, c.done, c.err = time.Now(), 0, false, nil
	g.calls = append(g.calls, c)
	m.slow = !m.waiting && c.since.Sub(m.since) > g.longest()
	m.waiting = false
	g.wake()
	for !c.done {
		if err := c.ctx.Err(); err != nil && !g.busy {
			g.finish(c, err)
		} else if calls := g.next(); len(calls) > 0 {
			g.run(calls)
		} else {
			g.wait(m)
		}
	}
	return c.err
}

// wake makes all that wait look again.
func (g *Group) wake() {
	for _, c := range g.calls {
		c.wake()
	}
}

func (c *call) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// wait waits until something has changed for the call of a member, or has not for too long.
func (g *Group) wait(m *Member) {
	c := &m.call
	var cancelled <-chan struct{}
	var overdue <-chan time.Time
	if !g.busy { // a pass under way tells of its end
		cancelled = c.ctx.Done()
		m.timer.Reset(g.patience(c))
		overdue = m.timer.C
	}
	g.mu.Unlock()
	select {
	case <-c.changed:
	case <-overdue:
	case <-cancelled:
	}
	g.mu.Lock()
	m.timer.Stop()
}

// longest returns how long a member may take over what it got and still be waited for: as long as the longest pass.
func (g *Group) longest() (d time.Duration) {
	for _, m := range g.models {
		d = max(d, slices.Max(m.took[:]))
	}
	return d
}

// patience returns how much longer a call waits for members that ask for nothing: not at all for those that take longer than the longest pass over
// what they got, or did so before they asked last.
func (g *Group) patience(c *call) (left time.Duration) {
	longest := g.longest()
	for _, m := range g.members {
		switch {
		case !m.call.done || m.slow:
		case m.waiting:
			left = longest
		default:
			left = max(left, longest-time.Since(m.since))
		}
	}
	return min(left, c.model.took[c.kind]-time.Since(c.since))
}

// next returns the calls of the next pass; none if one is under way, or if it is not time for another.
func (g *Group) next() []*call {
	if g.busy {
		return nil
	}
	for kind := range kinds {
		for _, m := range g.models {
			ready := func(c *call) bool {
				return c.isFor(m, kind) && g.patience(c) <= 0
			}
			if slices.ContainsFunc(g.calls, ready) {
				return g.fit(m, kind)
			}
		}
	}
	return nil
}

// isFor reports whether a call is to be computed in a pass of a model; one that was cancelled is not.
func (c *call) isFor(m *Model, kind int) bool {
	return c.model == m && c.kind == kind && c.ctx.Err() == nil
}

// fit returns the calls of a kind that one pass of a model holds, those that came first before others, and says how many rows of each.
func (g *Group) fit(m *Model, kind int) (calls []*call) {
	left, chains := m.rows, 0
	for _, c := range g.calls {
		if c.isFor(m, kind) {
			calls = append(calls, c)
			if c.isChain() {
				chains++
			}
		}
	}
	if kind == projection {
		return calls
	}
	if chains == len(calls) {
		if len(g.members) > 1 {
			left = m.chains
		}
		return divide(calls, max(left, chains), chains)
	}
	piece := max(m.piece, chains)
	if chains > 0 {
		left -= piece
	}
	first := true
	calls = slices.DeleteFunc(calls, func(c *call) bool {
		if c.isChain() {
			return false
		}
		if c.piece = c.size(); c.piece > left && !first {
			return true
		}
		left, first = max(0, left-c.piece), false
		return false
	})
	return divide(calls, piece, chains)
}

// divide shares rows out over the chains among calls, of which there are so many and no more than rows: half of them evenly, and the rest to those that
// have the fewest left, so that these end soon.
func divide(calls []*call, rows, chains int) []*call {
	slices.SortStableFunc(calls, func(a, b *call) int { return cmp.Compare(a.size(), b.size()) })
	least := max(1, rows/(2*max(1, chains)))
	for _, c := range calls {
		if c.isChain() {
			chains--
			c.piece = min(c.size(), rows-chains*least)
			rows -= c.piece
		}
	}
	return calls
}

// size returns the number of rows that are not computed yet.
func (c *call) size() int { return len(c.part.Batch.Tokens) - c.computed }

// isChain reports whether a forward may be computed in pieces.
func (c *call) isChain() bool {
	b := &c.part.Batch
	return c.kind == forward && b.Parents == nil && b.Hook == nil && len(b.Tokens) > 1
}

// finish ends a call while no pass is under way. Of one that failed no rows stay pending.
func (g *Group) finish(c *call, err error) {
	if err != nil && c.kind == forward && c.computed > 0 {
		err = errors.Join(err, c.model.Do(func() error { return c.part.Sequence.Rollback(c.part.First) }))
	}
	c.done, c.err, c.member.since = true, err, time.Now()
	g.wake()
	g.calls = slices.DeleteFunc(g.calls, func(other *call) bool { return other == c })
}

// run computes calls in one pass, without the lock.
func (g *Group) run(calls []*call) {
	m, kind := calls[0].model, calls[0].kind
	g.busy = true
	for _, c := range calls {
		c.err = errPanicked
	}
	began := time.Now()
	defer func() { // also when a worker panics
		g.busy = false
		const weight = 0.3
		if took := time.Since(began); m.took[kind] == 0 {
			m.took[kind] = took
		} else {
			m.took[kind] += time.Duration(weight * float64(took-m.took[kind]))
		}
		for _, c := range calls {
			c.since = time.Now()
			if c.err != nil || kind == projection || c.size() == 0 {
				g.finish(c, c.err)
			}
		}
		for _, c := range slices.Backward(g.calls) { // before the next pass, which they would wait for
			if err := c.ctx.Err(); err != nil {
				g.finish(c, err)
			}
		}
		g.wake()
	}()
	g.mu.Unlock()
	defer g.mu.Lock()
	m.passes <- struct{}{}
	defer func() { <-m.passes }()
	if m.compute(calls, kind) == nil || len(calls) == 1 {
		return
	}
	for i := range calls { // one of them, or the device, is at fault
		m.compute(calls[i:i+1], kind)
	}
}
