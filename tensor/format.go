package tensor

import (
	"fmt"
	"strings"
)

// shownPerDim is the number of elements along one dimension up to which String shows all of them; of more it shows
// the first and the last few.
const shownPerDim = 8

// String returns type, shape and values, such as "f32[2 3] [[1 2 3] [4 5 6]]". Long dimensions are cut short.
func (t *Tensor) String() string {
	if t.check() != nil {
		return Invalid.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v%v ", t.dtype, t.shape)
	t.format(&b, 0, t.offset)
	return b.String()
}

// formatElement writes element e of the storage.
func (t *Tensor) formatElement(b *strings.Builder, e int) {
	switch {
	case t.dtype == Bool:
		fmt.Fprint(b, t.data[e] != 0)
	case t.dtype.Integer():
		fmt.Fprint(b, t.integerAt(e))
	default:
		var value [1]float32
		t.readRow(value[:], e, 1)
		fmt.Fprintf(b, "%.6g", value[0])
	}
}

// format writes the part of t below the given dimension that begins at element e of the storage.
func (t *Tensor) format(b *strings.Builder, dim, e int) {
	if dim == len(t.shape) {
		t.formatElement(b, e)
		return
	}
	b.WriteByte('[')
	for i := 0; i < t.shape[dim]; i++ {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == shownPerDim/2 && t.shape[dim] > shownPerDim {
			b.WriteString("… ")
			i = t.shape[dim] - shownPerDim/2
		}
		t.format(b, dim+1, e+i*t.strides[dim])
	}
	b.WriteByte(']')
}
