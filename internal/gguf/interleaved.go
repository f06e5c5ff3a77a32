package gguf

import (
	"io"

	"github.com/lever-go/lever/tensor"
)

// interleaving is how a type of 2024 keeps Q4_0 blocks for the kernels of that time: the blocks at one place of several rows stand together, first
// their scales and then, in turn, some bytes of the quants of each; and quants are signed, which differs in the highest bit of each nibble.
type interleaving struct{ rows, bytes int }

// interleavings are those of the types by their numbers.
var interleavings = map[uint32]interleaving{31: {4, 4}, 32: {4, 8}, 33: {8, 8}}

// rowMajor reads interleaved rows as Q4_0 in row-major order.
type rowMajor struct {
	data     io.ReaderAt // of the tensor alone
	rowBytes int
	interleaving
}

// ReadAt implements [io.ReaderAt].
func (x rowMajor) ReadAt(dst []byte, offset int64) (n int, err error) {
	size := x.rows * x.rowBytes
	interleaved, plain := make([]byte, size), make([]byte, size)
	for n < len(dst) {
		at := offset + int64(n)
		group, within := at/int64(size), int(at%int64(size))
		if k, err := x.data.ReadAt(interleaved, group*int64(size)); k < size {
			return n, err
		}
		x.undo(plain, interleaved)
		n += copy(dst[n:], plain[within:])
	}
	return n, nil
}

// undo puts the blocks of as many rows as are interleaved into their order.
func (x rowMajor) undo(plain, interleaved []byte) {
	const scale = 2 // bytes
	block := tensor.Q4_0.BlockBytes()
	quants := block - scale
	for at := 0; at < x.rowBytes; at += block {
		together := interleaved[at*x.rows:][:block*x.rows]
		for r := range x.rows {
			own := plain[r*x.rowBytes+at:][:block]
			copy(own[:scale], together[r*scale:])
			for i := range quants {
				turn, within := i/x.bytes, i%x.bytes
				own[scale+i] = together[x.rows*scale+(turn*x.rows+r)*x.bytes+within] ^ 0x88
			}
		}
	}
}

// Section returns the data of a tensor of the file, in row-major order.
func (f *File) Section(t TensorInfo) *io.SectionReader {
	section := io.NewSectionReader(f.Data, t.Offset, t.Size)
	if t.interleaving.rows == 0 {
		return section
	}
	return io.NewSectionReader(rowMajor{section, t.Type.RowBytes(t.Shape[0]), t.interleaving}, 0, t.Size)
}
