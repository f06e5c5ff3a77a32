package kernels

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
)

// q8GoForm is the plain form, quantised faster.
var q8GoForm = table.Form{Name: "q8", RowBytes: q8RowBytes, Quantize: quantizeQ8Go, Block: q8Block}

// pairsForm is the form for 4-bit weights in the portable set: the columns of q8 in pairs, as [nibbleRows] multiplies them. Of each
// four columns x0 x1 x2 x3 it holds the numbers x0·2^16 + x2 and x1·2^16 + x3 as int64; then, as q8, scale and sum.
var pairsForm = table.Form{Name: "pairs", RowBytes: pairsRowBytes, Quantize: quantizePairsGo, Block: pairsBlock}

const (
	pairsPerBlock   = QuantBlock / 2
	halfPairs       = 8 * pairsPerBlock / 2 // bytes of the pairs of 16 columns
	pairsBlockBytes = 8*pairsPerBlock + 4 + 4
)

func pairsRowBytes(k int) int { return k / QuantBlock * pairsBlockBytes }

func pairsBlock(q []byte, _, k, row, block int) (d float32, v [32]int32) {
	b := q[row*pairsRowBytes(k)+block*pairsBlockBytes:]
	for i := range pairsPerBlock {
		pair := int32(binary.LittleEndian.Uint64(b[8*i:]))
		c := 4*(i/2) + i%2
		v[c+2] = int32(int16(pair))
		v[c] = (pair - v[c+2]) >> 16
	}
	return f32At(b, 8*pairsPerBlock), v
}

func quantizeQ8Go(q []byte, x []float32, rows, k int) {
	for range rows * k / QuantBlock {
		b := (*[q8BlockBytes]byte)(q)
		quantizeBlockGo((*[QuantBlock]byte)(b[:QuantBlock]), b[QuantBlock:], (*[QuantBlock]float32)(x))
		q, x = q[q8BlockBytes:], x[QuantBlock:]
	}
}

func quantizePairsGo(q []byte, x []float32, rows, k int) {
	var v [QuantBlock]byte
	for range rows * k / QuantBlock {
		b := (*[pairsBlockBytes]byte)(q)
		quantizeBlockGo(&v, b[8*pairsPerBlock:], (*[QuantBlock]float32)(x))
		for i := range pairsPerBlock {
			c := 4*(i/2) + i%2
			binary.LittleEndian.PutUint64(b[8*i:], uint64(int64(int8(v[c]))<<16+int64(int8(v[c+2]))))
		}
		q, x = q[pairsBlockBytes:], x[QuantBlock:]
	}
}

// quantizeBlockGo quantises one block: the integers go to v, scale and sum to tail. Magnitudes are compared as bits, which
// order like the numbers and put infinity and NaN above all; adding 1.5·2^23 rounds to an integer, ties to even, and leaves
// it in the low bits.
func quantizeBlockGo(v *[QuantBlock]byte, tail []byte, x *[QuantBlock]float32) {
	const (
		infBits = 0x7f800000
		round   = 0x1.8p23
	)
	top := uint32(0)
	for _, f := range x {
		top = max(top, math.Float32bits(f)&^(1<<31))
	}
	var d, inv float32
	switch {
	case top >= infBits:
		d = float32(math.NaN())
	case top >= quantizeMinBits:
		d = math.Float32frombits(top) / 127
		inv = 1 / d
	}
	sum := int32(0)
	if inv != 0 {
		for i, f := range x {
			n := int8(math.Float32bits(float32(f*inv) + round))
			v[i] = byte(n)
			sum += int32(n)
		}
	} else {
		clear(v[:])
	}
	_ = tail[7]
	binary.LittleEndian.PutUint32(tail, math.Float32bits(d))
	binary.LittleEndian.PutUint32(tail[4:], uint32(sum))
}

const quantizeMinBits = (127 - 100) << 23 // of quantizeMin
