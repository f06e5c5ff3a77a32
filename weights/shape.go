package weights

import "github.com/lever-go/lever/tensor"

// Shape returns the type and shape of a tensor; ok is false where the store has none of that name.
func (r *Resident) Shape(name string) (d tensor.DType, rows, cols int, ok bool) {
	t, ok := r.tensors[name]
	if !ok {
		return d, 0, 0, false
	}
	return t.entry.dtype, t.entry.Rows, t.entry.Cols, true
}

// Shape returns the type and shape of a tensor; ok is false where the store has none of that name.
func (r *Streamer) Shape(name string) (d tensor.DType, rows, cols int, ok bool) {
	t, ok := r.tensors[name]
	if !ok {
		return d, 0, 0, false
	}
	return t.dtype, t.Rows, t.Cols, true
}
