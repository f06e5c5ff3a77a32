package layers

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Projection is what one projection computes of one sequence: the logits of some of its pending rows.
type Projection struct {
	Sequence *Sequence
	Rows     []int
	Logits   []float32 // [len(Rows)][Vocab]
	Err      error     // about Rows, Logits or Sequence, for which nothing was computed
}

// Project writes the logits of pending rows to dst, [len(rows)][Vocab]. The hidden states of the latest [Workspace].MaxRows pending rows are
// kept; an older row, or one that a hook dropped, is an error.
func (s *Sequence) Project(ctx context.Context, dst []float32, rows []int) error {
	one := s.d.projection[:]
	one[0] = Projection{Sequence: s, Rows: rows, Logits: dst}
	err := s.d.ProjectAll(ctx, one)
	if err == nil {
		err = one[0].Err
	}
	one[0] = Projection{}
	return err
}

// ProjectAll computes the logits of rows of several sequences, and reads the head once for all of them: what it writes for each is what
// [Sequence.Project] does, to the bit. What is wrong with one projection is told in its Err, and the others are computed; an error of reading is
// returned. More rows than [Workspace].MaxRows are computed in pieces. A head that is not a [Linear], or that an [Offloader] computes, is
// read for each sequence.
func (d *Decoder) ProjectAll(ctx context.Context, all []Projection) error {
	if d.closed {
		return errClosed
	}
	d.projected = d.projected[:0]
	for i := range all {
		p := &all[i]
		if p.Err = d.checkProjection(p); p.Err != nil {
			continue
		}
		for j, row := range p.Rows {
			d.projected = append(d.projected, projectedRow{i, p.Sequence, row, p.Logits[j*d.Vocab():][:d.Vocab()]})
		}
	}
	defer clear(d.projected)
	linear, scatters := d.model.Head.(*Linear)
	scatters = scatters && d.ws.offloader == nil
	for rest := d.projected; len(rest) > 0; {
		n := min(len(rest), d.ws.maxRows)
		adjoin := d.adjoining(rest[:n])
		if !scatters {
			n = adjoin
		}
		if err := d.project(ctx, rest[:n], linear, adjoin == n); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// projectedRow is a row of a projection and where its logits go.
type projectedRow struct {
	of       int // the projection
	sequence *Sequence
	row      int
	logits   []float32
}

// adjoining returns how many rows, from the first on, are of one projection and so have logits side by side.
func (d *Decoder) adjoining(rows []projectedRow) int {
	n := slices.IndexFunc(rows, func(r projectedRow) bool { return r.of != rows[0].of })
	if n < 0 {
		return len(rows)
	}
	return n
}

func (d *Decoder) checkProjection(p *Projection) error {
	s := p.Sequence
	switch {
	case s.closed:
		return errClosed
	case s.d != d:
		return errors.New("layers: project: a sequence of another decoder")
	case len(p.Logits) != len(p.Rows)*d.Vocab():
		return fmt.Errorf("layers: project: %d logits do not hold %d rows of %d", len(p.Logits), len(p.Rows), d.Vocab())
	}
	for _, row := range p.Rows {
		if _, err := s.state(row); err != nil {
			return err
		}
	}
	return nil
}

// project computes the logits of rows in one go; adjoin says that these lie side by side.
func (d *Decoder) project(ctx context.Context, rows []projectedRow, linear *Linear, adjoin bool) error {
	n := len(rows)
	for i, r := range rows {
		copy(d.x[i*d.width:], r.sequence.Hidden(r.row))
	}
	in, began := d.ws.Input(d.x, n, d.width), d.now()
	var err error
	if adjoin {
		err = d.model.Head.Forward(ctx, rows[0].logits[:n*d.Vocab():n*d.Vocab()], in)
	} else {
		d.logits = d.logits[:0]
		for _, r := range rows {
			d.logits = append(d.logits, r.logits)
		}
		err = linear.forwardRows(ctx, d.logits, in)
		clear(d.logits)
	}
	d.traced("head", n, began)
	return err
}
