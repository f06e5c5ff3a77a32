package convert

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tensor"
)

// integers is a matrix of small integers q with a scale for each group of columns: an element is scale·(q−zero), or scale·q+bias where there
// are biases. It is what GPTQ, AWQ, MLX and compressed-tensors keep, each in an order of its own.
type integers struct {
	bits       int
	rows, cols int
	group      int                              // columns that share a scale
	groupOf    []int32                          // group of each column, if that is not column/group
	row        func(dst []uint8, row int) error // the integers of a row
	scales     []float32                        // [rows][groups]
	zeros      []uint8                          // [rows][groups]; if it is nil, all are the middle of the range
	biases     []float32                        // [rows][groups], or nil
}

// groups returns the number of scales of a row.
func (m *integers) groups() int { return m.cols / m.group }

// middle returns the integer that stands for 0 in symmetric matrices.
func (m *integers) middle() uint8 { return 1 << (m.bits - 1) }

// blocks returns the block type that holds the matrix exactly, F32 if there is none: the integers of Q4_0 and Q8_0 are symmetric, and their scales F16.
func (m *integers) blocks() tensor.DType {
	d := map[int]tensor.DType{4: tensor.Q4_0, 8: tensor.Q8_0}[m.bits]
	if d == tensor.Invalid || m.biases != nil || m.groupOf != nil || m.group%d.BlockElems() != 0 {
		return tensor.F32
	}
	for _, z := range m.zeros {
		if z != m.middle() {
			return tensor.F32
		}
	}
	for _, s := range m.scales {
		if h := tensor.F32ToF16(s); tensor.F16ToF32(h) != s || h&0x7C00 == 0x7C00 {
			return tensor.F32
		}
	}
	return d
}

// makeRow writes a row in type d, F32 or what blocks returns.
func (m *integers) makeRow(dst []byte, row int, d tensor.DType) error {
	q := make([]uint8, m.cols)
	if err := m.row(q, row); err != nil {
		return err
	}
	scales := m.scales[row*m.groups():]
	switch d {
	case tensor.Q4_0:
		for at := 0; at < m.cols; at += 32 {
			block := dst[at/32*18:][:18]
			binary.LittleEndian.PutUint16(block, tensor.F32ToF16(scales[at/m.group]))
			for i := range 16 {
				block[2+i] = q[at+i] | q[at+16+i]<<4
			}
		}
	case tensor.Q8_0:
		for at := 0; at < m.cols; at += 32 {
			block := dst[at/32*34:][:34]
			binary.LittleEndian.PutUint16(block, tensor.F32ToF16(scales[at/m.group]))
			for i := range 32 {
				block[2+i] = q[at+i] - m.middle()
			}
		}
	default:
		for c, x := range q {
			binary.LittleEndian.PutUint32(dst[4*c:], math.Float32bits(m.element(x, row, c)))
		}
	}
	return nil
}

// element returns the value of integer x at a place.
func (m *integers) element(x uint8, row, col int) float32 {
	g := col / m.group
	if m.groupOf != nil {
		g = int(m.groupOf[col])
	}
	at := row*m.groups() + g
	switch {
	case m.biases != nil:
		return float32(m.scales[at]*float32(x)) + m.biases[at]
	case m.zeros != nil:
		return m.scales[at] * float32(int(x)-int(m.zeros[at]))
	}
	return m.scales[at] * float32(int(x)-int(m.middle()))
}

// bitFields writes the first len(dst) numbers of bits bits each that raw holds, the lowest bits first.
func bitFields(dst []uint8, raw []byte, bits int) {
	mask := uint32(1)<<bits - 1
	var have uint32
	n := 0
	for i := range dst {
		for n < bits {
			have |= uint32(raw[0]) << n
			raw, n = raw[1:], n+8
		}
		dst[i] = uint8(have & mask)
		have, n = have>>bits, n-bits
	}
}

// oneMatrix keeps what was loaded of the matrix that was read last, as a conversion reads one after the other, each by several goroutines.
type oneMatrix struct {
	mu     sync.Mutex
	name   string
	loaded *integers
}

// get returns the matrix called name, which load loads if it is not that of the last call.
func (o *oneMatrix) get(name string, load func() (*integers, error)) (*integers, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.name == name && o.loaded != nil {
		return o.loaded, nil
	}
	o.loaded = nil // what it holds can go while the next is loaded
	m, err := load()
	o.name, o.loaded = name, m
	return m, err
}

// tensor returns the matrix as a tensor of the source, called name. It is loaded once to see which type holds it.
func (o *oneMatrix) tensor(name, file string, load func() (*integers, error)) (sourceTensor, error) {
	m, err := o.get(name, load)
	if err != nil {
		return sourceTensor{}, err
	}
	d := m.blocks()
	return sourceTensor{
		name: name, file: file, dtype: d, rows: m.rows, cols: m.cols,
		data: madeRows{d.RowBytes(m.cols), func(dst []byte, row int) error {
			m, err := o.get(name, load)
			if err != nil {
				return err
			}
			return m.makeRow(dst, row, d)
		}},
	}, nil
}

// restoreIntegers puts in found what matrix makes of each of the tensors that the suffix ends, matrices of integers of so many bits.
func restoreIntegers(found map[string]sourceTensor, suffix, name string, bits int, matrix func(found map[string]sourceTensor, base string) (sourceTensor, error)) ([]string, error) {
	bases := basesOf(found, suffix)
	kept := 0
	for _, base := range bases {
		t, err := matrix(found, base)
		if err != nil {
			return nil, err
		}
		if t.dtype != tensor.F32 {
			kept++
		}
		found[t.name] = t
	}
	return slices.Concat(keptNote(name, kept), affineNote(name, bits, len(bases)-kept)), nil
}

// keptNote says that n matrices keep their integers.
func keptNote(name string, n int) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s of %s: symmetric integers become the blocks that hold them exactly", plural.Of(n, "matrix"), name)}
}

// affineNote says that n matrices have no exact block form.
func affineNote(name string, bits, n int) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s of %s: no type of a store holds these %d-bit integers exactly; their values are stored like those of any other model, "+
		"which takes more bytes than they do", plural.Of(n, "matrix"), name, bits)}
}
