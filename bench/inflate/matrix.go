package inflate

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/lever-go/lever/tensor"
)

// matrix is a matrix of blocks in which those of another one are placed. It is read like a file of its rows, and safe for concurrent use.
type matrix struct {
	dtype      tensor.DType
	rows, cols int
	// scale is that of blocks where nothing is placed, as F16 bits.
	scale uint16

	source  []byte  // rows of whole blocks, or nil
	rowOf   []int32 // by row: that of source; −1: none. Rows beyond are none
	blockOf []int32 // by block of a source row: where in a row it is placed

	// extra, if not empty, is a block that stands at extraAt in every row, in rows without source padding.
	extra, padding []byte
	extraAt        int
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
	for at := 0; at < len(dst); at += block {
		binary.LittleEndian.PutUint16(dst[at:], m.scale)
	}
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
