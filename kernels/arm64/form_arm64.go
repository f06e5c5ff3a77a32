package arm64

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
)

// Activations are quantised in blocks of 32 columns. A block of a row that stands alone takes 64 bytes:
//
//	32 × int8 q; 4 × int32 start; float32 d; float32 d·Σq; 8 bytes unused
//
// and a block of two rows a, b together, whose interleaving is that of the operands of SMMLA, takes 96:
//
//	a[0..7] b[0..7] a[8..15] b[8..15] … b[24..31]; int32 start of a, b, a, b; float32 d of a, b, a, b
//
// A sum of products begins at start, which is the bit pattern of the float 1.5·2^23 (whose neighbours are 1 apart, so that
// the float reads as that number plus the sum as long as the sum is below 2^22) less what the offset of unsigned weights
// adds: one float subtraction then replaces a conversion.
//
// The groups of a form stand block after block, in a block row after row.
const (
	tileRows   = 16
	groupRows  = table.GroupRows
	blockElems = 32
	rowBlock   = 64
	pairBlock  = 96
	magic      = 0x4b400000 // 1.5·2^23 as float32
)

func rowBytes(k int) int { return k / blockElems * rowBlock }

var (
	// rowForm rounds as the plain form does; every row stands alone. start counts 8·Σq off, for the nibbles of Q4_0.
	rowForm = table.Form{Name: "q8row", RowBytes: rowBytes, Quantize: quantizeRows, Block: rowFormBlock}
	// pairForm rounds as the plain form does; rows stand in pairs, the last of an odd number alone as in rowForm.
	// start of a pair is for signed weights.
	pairForm = table.Form{Name: "q8pair", RowBytes: rowBytes, Quantize: quantizePairs, Block: pairFormBlock}
	// crossForm is for the bytes of Q4_0, l+16h with l, h in 0..15, taken as they are. Columns 0..15 of a block belong to
	// l, 16..31 to h, called x0 and x1. q holds c0 = round(x0/s - a1/16), then a1 = round(x1/s), so that
	//
	//	16·l·c0 + (l+16h)·a1 = 16·(h·a1 + l·(c0 + a1/16))
	//
	// where c0 + a1/16 is x0/s with the rounding error of c0 alone; d is s/16.
	crossForm = table.Form{Name: "q8cross", RowBytes: rowBytes, Quantize: quantizeCross, Block: crossFormBlock}
)

func quantizeRows(q []byte, x []float32, rows, k int) {
	blocks := k / blockElems
	for r := range rows {
		quantizeRow(&q[r*rowBlock], rows*rowBlock, &x[r*k], blocks)
	}
}

func quantizePairs(q []byte, x []float32, rows, k int) {
	quantizeByTwo(q, x, rows, k, quantizePair, quantizeRow)
}

func quantizeCross(q []byte, x []float32, rows, k int) {
	quantizeByTwo(q, x, rows, k, quantizeCrossPair, quantizeCrossRow)
}

// pairStride returns the bytes of one block of a group of rows rows that stand in pairs.
func pairStride(rows int) int { return rows/2*pairBlock + rows%2*rowBlock }

func quantizeByTwo(q []byte, x []float32, rows, k int, pair func(q, start *byte, stride int, x *float32, blocks int),
	row func(q *byte, stride int, x *float32, blocks int)) {
	blocks, stride := k/blockElems, pairStride(rows)
	for r := range rows &^ 1 {
		block := q[r/2*pairBlock:]
		pair(&block[r%2*8], &block[64+r%2*4], stride, &x[r*k], blocks)
	}
	if rows%2 == 1 {
		row(&q[rows/2*pairBlock], stride, &x[(rows-1)*k], blocks)
	}
}

func rowFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	b := q[(block*rows+row)*rowBlock:]
	for i := range v {
		v[i] = int32(int8(b[i]))
	}
	return float32At(b, 48), v
}

func pairFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	b := q[block*pairStride(rows)+row/2*pairBlock:]
	if row == rows-1 && rows%2 == 1 {
		return rowFormBlock(b, 1, 0, 0, 0)
	}
	for i := range v {
		v[i] = int32(int8(b[i/8*16+row%2*8+i%8]))
	}
	return float32At(b, 80+row%2*4), v
}

func crossFormBlock(q []byte, rows, k, row, block int) (d float32, v [32]int32) {
	d, v = pairFormBlock(q, rows, k, row, block)
	for i := range blockElems / 2 {
		a1 := v[16+i]
		v[i], v[16+i] = 16*v[i]+a1, 16*a1
	}
	return d, v
}

func float32At(b []byte, off int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[off:]))
}

// quantizeRow writes blocks blocks of the row x, stride bytes apart, as a row that stands alone.
//
//go:noescape
func quantizeRow(q *byte, stride int, x *float32, blocks int)

// quantizePair writes one row of a pair. q points at its first 8 bytes in the pair's block, start at its first start value.
//
//go:noescape
func quantizePair(q, start *byte, stride int, x *float32, blocks int)

// quantizeCrossRow is quantizeRow for the crossed form.
//
//go:noescape
func quantizeCrossRow(q *byte, stride int, x *float32, blocks int)

// quantizeCrossPair is quantizePair for the crossed form.
//
//go:noescape
func quantizeCrossPair(q, start *byte, stride int, x *float32, blocks int)
