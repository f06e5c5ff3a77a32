package layers

import (
	"context"
	"fmt"
	"iter"

	"github.com/lever-go/lever/tensor"
)

// Memory is a [Weights] over packed tensors in memory, for small models and tests. The zero value holds nothing. Reading is
// safe for concurrent use once all tensors are set.
type Memory struct {
	tensors map[string]*memoryTensor
}

type memoryTensor struct {
	packed tensor.Packed
	parts  iter.Seq2[tensor.Packed, error] // made once, so that reading does not allocate
}

// Set stores a whole tensor, whose data is borrowed, under a name.
func (m *Memory) Set(name string, p tensor.Packed) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("layers: set %s: %w", name, err)
	}
	if p.Row != 0 {
		return fmt.Errorf("layers: set %s: starts at row %d, not at the first", name, p.Row)
	}
	if m.tensors == nil {
		m.tensors = map[string]*memoryTensor{}
	}
	t := &memoryTensor{packed: p}
	t.parts = func(yield func(tensor.Packed, error) bool) { yield(t.packed, nil) }
	m.tensors[name] = t
	return nil
}

// SetMatrix encodes values, [rows][cols] row-major, as type d and stores them under a name. A vector is one row of type F32.
func (m *Memory) SetMatrix(name string, d tensor.DType, rows, cols int, values []float32) error {
	if rows < 1 || cols < 1 || len(values) != rows*cols {
		return fmt.Errorf("layers: set %s: %d values for [%d %d]", name, len(values), rows, cols)
	}
	plain := make([]byte, d.RowBytes(len(values)))
	if err := tensor.Encode(plain, values, d); err != nil {
		return fmt.Errorf("layers: set %s: %w", name, err)
	}
	packed := make([]byte, tensor.PackedBytes(d, rows, cols))
	if err := tensor.Pack(packed, plain, d, rows, cols); err != nil {
		return fmt.Errorf("layers: set %s: %w", name, err)
	}
	return m.Set(name, tensor.Packed{Type: d, Rows: rows, Cols: cols, Data: packed})
}

// Has reports whether a tensor of that name was set.
func (m *Memory) Has(name string) bool {
	_, ok := m.tensors[name]
	return ok
}

// Parts yields the tensor in one part.
func (m *Memory) Parts(_ context.Context, name string) iter.Seq2[tensor.Packed, error] {
	if t, ok := m.tensors[name]; ok {
		return t.parts
	}
	return func(yield func(tensor.Packed, error) bool) { yield(tensor.Packed{}, errMissing(name)) }
}

// Lease keeps a part valid, which it is anyway.
func (m *Memory) Lease() (release func()) { return func() {} }

// Tile returns the tile that holds the given row.
func (m *Memory) Tile(_ context.Context, name string, row int) (tensor.Packed, error) {
	t, ok := m.tensors[name]
	if !ok {
		return tensor.Packed{}, errMissing(name)
	}
	p := t.packed
	if row < 0 || row >= p.Rows || p.Type == tensor.F32 {
		return tensor.Packed{}, fmt.Errorf("layers: memory: no tile for row %d of %v %s [%d %d]", row, p.Type, name, p.Rows, p.Cols)
	}
	first, size := row-row%tensor.TileRows, tensor.TileBytes(p.Type, p.Cols)
	at := first / tensor.TileRows * size
	return tensor.Packed{Type: p.Type, Row: first, Rows: min(tensor.TileRows, p.Rows-first), Cols: p.Cols, Data: p.Data[at : at+size]}, nil
}

func errMissing(name string) error { return fmt.Errorf("layers: memory: there is no tensor %s", name) }
