//go:build !purego

package amd64

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
)

// q8 is the plain form of package kernels: per block 32 int8 q, the float32 scale d, the int32 sum of q.
var q8 = table.Form{Name: "q8", RowBytes: q8RowBytes, Quantize: quantizeQ8, Block: q8Block}

const q8BlockBytes = 40

func q8RowBytes(k int) int { return k / 32 * q8BlockBytes }

func quantizeQ8(q []byte, x []float32, rows, k int) {
	if rows*k > 0 {
		quantizeBlocksAvx2(&q[0], &x[0], rows*k/32)
	}
}

// quantizeBlocksAvx2 writes blocks blocks of the plain form: see package kernels for the arithmetic.
//
//go:noescape
func quantizeBlocksAvx2(q *byte, x *float32, blocks int)

func q8Block(q []byte, _, k, row, block int) (d float32, v [32]int32) {
	b := q[row*q8RowBytes(k)+block*q8BlockBytes:]
	for i := range v {
		v[i] = int32(int8(b[i]))
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b[32:])), v
}
