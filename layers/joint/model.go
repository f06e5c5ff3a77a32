package joint

import (
	"context"
	"errors"

	"github.com/lever-go/lever/layers"
)

// errPanicked is what the others get of a pass that panicked on one's goroutine.
var errPanicked = errors.New("joint: the pass panicked")

// compute computes calls of a kind, and sets their errors; err is that of the pass. One of several is not cut short when one of them is cancelled.
func (m *Model) compute(calls []*call, kind int) (err error) {
	ctx := context.Background()
	if len(calls) == 1 {
		ctx = calls[0].ctx
	}
	if kind == projection {
		m.heads = m.heads[:0]
		for _, c := range calls {
			m.heads = append(m.heads, c.head)
		}
		err = m.decoder.ProjectAll(ctx, m.heads)
		for i, c := range calls {
			c.err = errors.Join(err, m.heads[i].Err)
		}
		clear(m.heads)
		return err
	}
	m.parts = m.parts[:0]
	rows := 0
	for _, c := range calls {
		rows += c.piece
		part := c.part
		part.Batch.Tokens = part.Batch.Tokens[c.computed : c.computed+c.piece]
		m.parts = append(m.parts, part)
	}
	err = m.decoder.ForwardAll(ctx, m.parts)
	for i, c := range calls {
		if c.err = errors.Join(err, m.parts[i].Err); c.err != nil {
			continue
		}
		if c.computed == 0 {
			c.part.First = m.parts[i].First
		}
		c.computed += c.piece
		c.shared.add(rows, len(calls))
	}
	clear(m.parts)
	return err
}

// Decoder is a sequence as a member sees it: a decoder whose passes others share. It is used by the member's goroutine alone.
type Decoder struct {
	member   *Member
	model    *Model
	sequence *layers.Sequence
	shared   totals
}

// totals count the passes that had rows of one member: how many they were, and all of their rows and members.
type totals struct{ passes, rows, members int }

func (t *totals) add(rows, members int) {
	t.passes++
	t.rows += rows
	t.members += members
}

// Decoder returns the member's view of a sequence of a model.
func (m *Member) Decoder(model *Model, s *layers.Sequence) *Decoder {
	return &Decoder{member: m, model: model, sequence: s}
}

// Forward is [layers.Sequence.Forward] in a pass that others share.
func (d *Decoder) Forward(ctx context.Context, b layers.Batch) (first int, err error) {
	c := &d.member.call
	c.ctx, c.model, c.kind, c.part, c.shared = ctx, d.model, forward, layers.Part{Sequence: d.sequence, Batch: b}, d.shared
	err = d.member.group.do(d.member)
	first, c.ctx, c.part, d.shared = c.part.First, nil, layers.Part{}, c.shared
	if err != nil {
		return 0, err
	}
	return first, nil
}

// Project is [layers.Sequence.Project] in a projection that others share.
func (d *Decoder) Project(ctx context.Context, dst []float32, rows []int) error {
	c := &d.member.call
	c.ctx, c.model, c.kind, c.head = ctx, d.model, projection, layers.Projection{Sequence: d.sequence, Rows: rows, Logits: dst}
	err := d.member.group.do(d.member)
	c.ctx, c.head = nil, layers.Projection{}
	return err
}

// Shared returns running totals of the passes that had rows of this Decoder: how many they were, and all of their rows and members.
func (d *Decoder) Shared() (passes, rows, members int) {
	return d.shared.passes, d.shared.rows, d.shared.members
}

// Commit is [layers.Sequence.Commit]. It waits for a pass that is under way.
func (d *Decoder) Commit(path []int) error {
	return d.between(func() error { return d.sequence.Commit(path) })
}

// Truncate is [layers.Sequence.Truncate]. It waits for a pass that is under way.
func (d *Decoder) Truncate(n int) error {
	return d.between(func() error { return d.sequence.Truncate(n) })
}

// Cold is [layers.Sequence.Cold].
func (d *Decoder) Cold(row int) (cold [4]int) {
	_ = d.between(func() error { cold = d.sequence.Cold(row); return nil })
	return cold
}

// between calls f while no pass of the model is under way. That the member waits for one is not its own delay.
func (d *Decoder) between(f func() error) error {
	d.member.setWaiting(true)
	defer d.member.setWaiting(false)
	return d.model.Do(f)
}

// Hidden is [layers.Sequence.Hidden]: it is valid until the next Forward of this Decoder.
func (d *Decoder) Hidden(row int) []float32 { return d.sequence.Hidden(row) }

// Tokens returns the tokens of the committed rows, until the next Commit or Truncate.
func (d *Decoder) Tokens() []int32 { return d.sequence.Tokens() }

// Len returns the number of committed rows.
func (d *Decoder) Len() int { return d.sequence.Len() }

// Context returns the number of positions of the longest text.
func (d *Decoder) Context() int { return d.sequence.Context() }

// Vocab returns the number of logits of a row.
func (d *Decoder) Vocab() int { return d.sequence.Vocab() }
