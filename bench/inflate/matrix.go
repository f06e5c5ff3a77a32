package inflate

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// matrix is a matrix of blocks in which those of another one are placed. It is read like a file of its rows, and safe for concurrent use.
type matrix struct {
	dtype      tensor.DType
	rows, cols int
	// scale is that of blocks where nothing is placed, as F16 bits.
	scale uint16

	placedRows
	rowOf []int32 // by row: that of source; −1: none. Rows beyond are none

	// extra, if not empty, is a block that stands at extraAt in every row, in rows without source padding.
	extra, padding []byte
	extraAt        int
}

// placedRows are the rows of a matrix that is placed in a larger one.
type placedRows struct {
	source  []byte  // whole blocks, or nil
	blockOf []int32 // by block of a row: where in a row of the larger matrix it stands
}

// encodePlaced returns rows of type from in type to. By run of 32 columns of a row, places says where in the larger matrix it stands, counted in
// such runs. Blocks of more columns are filled up with zeros.
func encodePlaced(rows []byte, from, to tensor.DType, places []int32) (placedRows, error) {
	runs := int32(to.BlockElems() / blockElems)
	if runs == 1 {
		source, err := recode(rows, from, to)
		return placedRows{source, places}, err
	}
	blocks := slices.Clone(places)
	for i := range blocks {
		blocks[i] /= runs
	}
	slices.Sort(blocks)
	blocks = slices.Compact(blocks)
	cols := len(places) * blockElems
	values, wide := make([]float32, cols), make([]float32, len(blocks)*to.BlockElems())
	size := from.RowBytes(cols)
	placed := placedRows{blockOf: blocks}
	for ; len(rows) > 0; rows = rows[size:] {
		if err := tensor.Decode(values, rows[:size], from); err != nil {
			return placedRows{}, err
		}
		for i, place := range places {
			block, _ := slices.BinarySearch(blocks, place/runs)
			copy(wide[(block*int(runs)+int(place%runs))*blockElems:], values[i*blockElems:(i+1)*blockElems])
		}
		at := len(placed.source)
		placed.source = append(placed.source, make([]byte, to.RowBytes(len(wide)))...)
		if err := tensor.Encode(placed.source[at:], wide, to); err != nil {
			return placedRows{}, err
		}
	}
	return placed, nil
}

// Types returns the types that matrices of a large model can have.
func Types() []tensor.DType {
	return slices.DeleteFunc(weights.EncodableTypes(), func(d tensor.DType) bool { return !d.Quantized() || len(scales(d)) == 0 })
}

// scales returns the offsets of the F16 numbers in a block that all of its weights are multiples of.
func scales(d tensor.DType) (offsets []int) {
	for _, f := range d.Fields() {
		if f.Name == "d" || f.Name == "dmin" {
			offsets = append(offsets, f.Offset)
		}
	}
	return offsets
}

// noiseScale returns the scale, as F16 bits, of blocks with random quants whose weights are at most about noiseLimit.
func noiseScale(d tensor.DType) (uint16, error) {
	const one = 0x3c00 // in F16
	block := slices.Clone(noise()[:64*d.BlockBytes()])
	setScales(block, d, one)
	values := make([]float32, 64*d.BlockElems())
	if err := tensor.Decode(values, block, d); err != nil {
		return 0, err
	}
	return tensor.F32ToF16(noiseLimit / max(slices.Max(values), -slices.Min(values))), nil
}

// setScales sets those of all blocks.
func setScales(blocks []byte, d tensor.DType, scale uint16) {
	offsets := scales(d)
	for at := 0; at < len(blocks); at += d.BlockBytes() {
		for _, offset := range offsets {
			binary.LittleEndian.PutUint16(blocks[at+offset:], scale)
		}
	}
}

// ReadAt implements [io.ReaderAt].
func (m *matrix) ReadAt(p []byte, off int64) (n int, err error) {
	size := m.dtype.RowBytes(m.cols)
	var row []byte // where only a part of a row is asked for
	for n < len(p) {
		r, from := int((off+int64(n))/int64(size)), int((off+int64(n))%int64(size))
		if r >= m.rows {
			return n, io.EOF
		}
		if from == 0 && len(p)-n >= size {
			m.fill(p[n:n+size], r)
			n += size
			continue
		}
		if row == nil {
			row = make([]byte, size)
		}
		m.fill(row, r)
		n += copy(p[n:], row[from:])
	}
	return n, nil
}

// fill writes row r to dst.
func (m *matrix) fill(dst []byte, r int) {
	random := noise()
	for at, from := 0, r*len(dst)%len(random); at < len(dst); from = 0 {
		at += copy(dst[at:], random[from:])
	}
	block := m.dtype.BlockBytes()
	setScales(dst, m.dtype, m.scale)
	own := int32(-1)
	if r < len(m.rowOf) {
		own = m.rowOf[r]
	}
	if len(m.extra) > 0 {
		extra := m.extra
		if own < 0 {
			extra = m.padding
		}
		copy(dst[m.extraAt*block:], extra)
	}
	if own < 0 {
		return
	}
	src := m.source[int(own)*len(m.blockOf)*block:]
	for i, to := range m.blockOf {
		copy(dst[int(to)*block:][:block], src[i*block:])
	}
}

// noise returns random bytes for quants. None is 0x80, which blocks of Q8_0 do not hold.
var noise = sync.OnceValue(func() []byte {
	bytes := make([]byte, 4<<20-1) // odd, so that rows do not repeat
	rand.NewChaCha8([32]byte{5}).Read(bytes)
	for i, b := range bytes {
		if b == 0x80 {
			bytes[i] = 0x7f
		}
	}
	return bytes
})

// count returns 0, 1 … n−1.
func count(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}
