package npu

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// Binding is the memory of an operand in one Submit. It is left zero for temporary operands.
type Binding struct {
	// Buffer, of the program's device, holds the operand from Offset on, a multiple of [Capabilities].Alignment: Rows of the whole batch, a
	// Vector or a Cache. The caller has flushed what it wrote.
	Buffer Buffer
	Offset int
	// Parts hold Weights: all rows, in order, in parts of whole tiles, wherever the caller got them from. A part may lie in a buffer of the
	// device; a driver that can tell by its address need not copy it.
	Parts []tensor.Packed
	// Unchanged says that the memory holds the same data as in the latest Submit that bound this operand's kind there, to any program of the
	// device: what the driver made of it then, such as a quantised form of rows, is still good.
	Unchanged bool
}

// Bytes returns the size of an operand for a batch, 0 for Weights.
func (o *Operand) Bytes(batch int) int {
	cols := o.Cols
	if cols == 0 {
		cols = batch
	}
	switch o.Kind {
	case Rows:
		return 4 * batch * cols
	case Vector:
		return 4 * cols
	case Cache:
		return 2 * o.Rows * o.Cols
	}
	return 0
}

// CheckSubmit reports what is wrong with the arguments of a Submit to a program of g, compiled for batch, on a device whose
// offsets are multiples of alignment. Drivers call it first in Submit.
func (g *Graph) CheckSubmit(batch, alignment, rows int, b []Binding) error {
	if rows < 1 || rows > batch {
		return fmt.Errorf("npu: submit: %d rows for a batch of %d", rows, batch)
	}
	if len(b) != len(g.Operands) {
		return fmt.Errorf("npu: submit: %d bindings for %d operands", len(b), len(g.Operands))
	}
	for i := range g.Operands {
		o := &g.Operands[i]
		var err error
		switch {
		case g.Temporary(i):
		case o.Kind == Weights:
			err = o.checkParts(b[i].Parts)
		default:
			err = o.checkBuffer(b[i], batch, alignment)
		}
		if err != nil {
			return fmt.Errorf("npu: submit: operand %d (%s): %w", i, o.Name, err)
		}
	}
	return nil
}

func (o *Operand) checkBuffer(b Binding, batch, alignment int) error {
	if b.Buffer == nil {
		return fmt.Errorf("no buffer")
	}
	if size := len(b.Buffer.Bytes()); b.Offset < 0 || b.Offset%alignment != 0 || o.Bytes(batch) > size-b.Offset {
		return fmt.Errorf("%d bytes do not lie at offset %d of a buffer of %d, aligned to %d", o.Bytes(batch), b.Offset, size, alignment)
	}
	return nil
}

func (o *Operand) checkParts(parts []tensor.Packed) error {
	rows := 0
	for _, p := range parts {
		if err := p.Check(); err != nil {
			return err
		}
		if p.Type != o.Type || p.Cols != o.Cols || p.Row != parts[0].Row+rows {
			return fmt.Errorf("part of %v rows %d..%d of %d columns in a matrix %v [%d %d] at its row %d",
				p.Type, p.Row, p.Row+p.Rows, p.Cols, o.Type, o.Rows, o.Cols, rows)
		}
		rows += p.Rows
	}
	if rows != o.Rows {
		return fmt.Errorf("parts of %d rows in all for a matrix of %d", rows, o.Rows)
	}
	return nil
}
