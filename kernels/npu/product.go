package npu

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// Product is what devices compute: y = W·x for each row x of a batch. W is a matrix [Rows][Cols] of a packed type; x has Cols elements, y has
// Rows. Package kernels defines the result: see kernels.MatMul.
type Product struct {
	Type       tensor.DType
	Rows, Cols int
}

// Operands are the memory that one Submit of a program for a [Product] works on.
type Operands struct {
	// W is the matrix, or as many rows of a larger one; its Row does not matter. Its memory may lie anywhere; a driver that can tell by the
	// address that it lies in a buffer of the device, which is then flushed, need not copy it.
	W tensor.Packed
	// X holds float32 [batch][Cols] from byte XOffset on, a multiple of [Capabilities].Alignment. The caller has flushed what it wrote.
	X       Buffer
	XOffset int
	// XUnchanged says that X holds the same data from XOffset on as in the latest successful Submit, to any program of the device, of an X that
	// began there: what the driver made of it then, such as quantised rows, is still good.
	XUnchanged bool
	// Y receives float32 [batch][Rows].
	Y Buffer
}

// Check reports a product whose matrix has no packed form. Drivers call it first in Compile.
func (p Product) Check() error {
	if !tensor.Packable(p.Type) || p.Rows < 1 || p.Cols < 1 || p.Cols%p.Type.BlockElems() != 0 {
		return fmt.Errorf("npu: %v matrix [%d %d] has no packed form", p.Type, p.Rows, p.Cols)
	}
	return nil
}

// CheckSubmit reports what is wrong with the arguments of a Submit to a program for p, compiled for batch, on a device whose offsets are
// multiples of alignment. Drivers call it first in Submit.
func (p Product) CheckSubmit(batch, alignment, rows int, o *Operands) error {
	if rows < 1 || rows > batch {
		return fmt.Errorf("npu: submit: %d rows for a batch of %d", rows, batch)
	}
	if err := o.W.Check(); err != nil {
		return fmt.Errorf("npu: submit: W: %w", err)
	}
	if o.W.Type != p.Type || o.W.Rows != p.Rows || o.W.Cols != p.Cols {
		return fmt.Errorf("npu: submit: W is a %v matrix [%d %d], the program is for %v [%d %d]", o.W.Type, o.W.Rows, o.W.Cols, p.Type, p.Rows, p.Cols)
	}
	if err := checkBuffer(o.X, o.XOffset, alignment, 4*batch*p.Cols); err != nil {
		return fmt.Errorf("npu: submit: X: %w", err)
	}
	if err := checkBuffer(o.Y, 0, alignment, 4*batch*p.Rows); err != nil {
		return fmt.Errorf("npu: submit: Y: %w", err)
	}
	return nil
}

func checkBuffer(b Buffer, offset, alignment, bytes int) error {
	if b == nil {
		return fmt.Errorf("no buffer")
	}
	if size := len(b.Bytes()); offset < 0 || offset%alignment != 0 || bytes > size-offset {
		return fmt.Errorf("%d bytes do not lie at offset %d of a buffer of %d, aligned to %d", bytes, offset, size, alignment)
	}
	return nil
}
