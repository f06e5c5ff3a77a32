//go:build !purego

package amd64

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
)

// q8x16 is the int8 form of activations as VNNI wants it. Its values are those of the plain form "q8". A group of rows is
// stored block after block, in each block row after row, so that a kernel which takes all rows through one block of weights
// reads straight ahead. A record is 32 int8 q, the float32 scale d, and as int32 -128·Σq, and -32·Σq of the first and of the
// last 16 columns: 48 bytes, little-endian. The sums are where the dot products of weights that were made unsigned begin.
var q8x16 = table.Form{Name: "q8x16", RowBytes: q8x16RowBytes, Quantize: quantizeQ8x16, Block: q8x16Block}

const recordBytes = 48

func q8x16RowBytes(k int) int { return k / 32 * recordBytes }

func quantizeQ8x16(q []byte, x []float32, rows, k int) {
	for i := range rows {
		quantizeRowAvx512(&q[i*recordBytes], rows*recordBytes, &x[i*k], k/32)
	}
}

// quantizeRowAvx512 writes the records of one row, stride bytes apart, from 32·blocks values: see package kernels for the
// arithmetic.
//
//go:noescape
func quantizeRowAvx512(q *byte, stride int, x *float32, blocks int)

func q8x16Block(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	r := q[(block*rows+row)*recordBytes:]
	for i := range v {
		v[i] = int32(int8(r[i]))
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(r[32:])), v
}
