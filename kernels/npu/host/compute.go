package host

import (
	"unsafe"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
)

// computer runs programs, one at a time.
type computer struct {
	input kernels.Input
	from  *float32 // the rows that input holds, and how many. If from is nil, it holds none that may be used again.
	rows  int
}

// compute runs one program.
func (c *computer) compute(e *event) {
	p, o := &e.program.product, &e.operands
	x := floats(o.X, o.XOffset, e.rows*p.Cols)
	if !o.XUnchanged || c.from != &x[0] || c.rows != e.rows {
		c.input.Reset(x, e.rows, p.Cols)
		c.from, c.rows = &x[0], e.rows
	}
	w := o.W
	w.Row = 0
	kernels.MatMul(nil, floats(o.Y, 0, e.rows*p.Rows), p.Rows, w, &c.input)
}

// floats returns the n float32 of a buffer that begin at an offset of bytes.
func floats(b npu.Buffer, offset, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b.Bytes()[offset:]))), n)
}
