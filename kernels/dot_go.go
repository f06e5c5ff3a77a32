package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

// The products of the portable set do several multiply-accumulates in one 64-bit multiplication. A word holds unsigned
// weights of two matrix rows as digits; its product with one activation, or with two as digits, has sums of products as
// digits. Words are added up before the digits are read. A digit may be negative and then borrows from the one above: adding
// half of the upper digit's unit before shifting gives that back.
const (
	nibbleDigits = 0x000f000f000f000f // four digits of 16 bits: columns c and c+2 of row r, the same of row r+1
	byteDigits   = 0x000000ff000000ff // two digits of 32 bits: one column of row r and row r+1
	byteSigns    = 0x8080808080808080 // flipping them adds 128 to eight int8
)

// rowInts are the integer sums of the rows of a tile.
type rowInts [tensor.TileRows]int32

// nibbleRows multiplies 16 columns of low nibbles with xlo, and the 16 columns of high nibbles in the same bytes with xhi:
// eight pairs each (see [pairsForm]). The pair (x0, x2) has x0 as its upper digit, so that w0·x0 + w2·x2 meet in the upper
// digit of a row. A sum stays below 16·15·127 < 2^15.
func nibbleRows(lo, hi *rowInts, w *[16 * tensor.TileRows]byte, xlo, xhi *[halfPairs]byte) {
	for r := 0; r < tensor.TileRows; r += 2 {
		var a, b uint64
		for j := 0; j < 8; j += 2 {
			u := binary.LittleEndian.Uint64(w[32*j+4*r:])
			a += u & nibbleDigits * binary.LittleEndian.Uint64(xlo[8*j:])
			a += u >> 8 & nibbleDigits * binary.LittleEndian.Uint64(xlo[8*j+8:])
			b += u >> 4 & nibbleDigits * binary.LittleEndian.Uint64(xhi[8*j:])
			b += u >> 12 & nibbleDigits * binary.LittleEndian.Uint64(xhi[8*j+8:])
		}
		lo[r], lo[r+1] = (int32(a)+1<<15)>>16, int32(int64(a+1<<47)>>48)
		hi[r], hi[r+1] = (int32(b)+1<<15)>>16, int32(int64(b+1<<47)>>48)
	}
}

// byteRows multiplies 16 columns of bytes with those of x.
func byteRows(sums *rowInts, w *[16 * tensor.TileRows]byte, flip uint64, x *[16]uint64) {
	for r := 0; r < tensor.TileRows; r += 2 {
		var a uint64
		for j := 0; j < 16; j += 4 {
			u := binary.LittleEndian.Uint64(w[16*j+4*r:]) ^ flip
			a += u & byteDigits * x[j]
			a += u >> 8 & byteDigits * x[j+1]
			a += u >> 16 & byteDigits * x[j+2]
			a += u >> 24 & byteDigits * x[j+3]
		}
		sums[r], sums[r+1] = int32(a), int32(int64(a+1<<31)>>32)
	}
}

// widen makes words of the columns of a block.
func widen(wide *[QuantBlock]uint64, x *[q8BlockBytes]byte) {
	for c := range wide {
		wide[c] = uint64(int8(x[c]))
	}
}
