package arm64

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

const (
	tileRows  = 16
	groupRows = table.GroupRows
)

// layout is how a form lays out a group of activation rows: block of columns after block of columns, in a block row after
// row, or pair of rows after pair of rows and then the row that is left.
type layout struct {
	elems  int // columns in a block
	alone  int // bytes of a row that stands alone, in a block
	paired int // bytes of one of two rows
}

var (
	// A block of a row that stands alone takes 64 bytes:
	//
	//	32 × int8 q; 4 × int32 start; float32 d; float32 d·Σq; 8 bytes unused
	//
	// A sum of products begins at start, which is the bit pattern of the float 1.5·2^23 (whose neighbours are 1 apart, so
	// that the float reads as that number plus the sum as long as the sum is below 2^22) less what the offset of unsigned
	// weights adds: one float subtraction then replaces a conversion.
	rowLayout = layout{elems: 32, alone: 64, paired: 64}
	// A block of two rows a, b together, interleaved as the operands of SMMLA are, takes 112 bytes:
	//
	//	a[0..7] b[0..7] a[8..15] b[8..15] … b[24..31]; int32 start of a, b, a, b; float32 d of a, b, a, b; float32 d·Σq of a, b, a, b
	//
	// and a last row that stands alone the same as in rowLayout. crossLayout lacks the last 16 bytes.
	pairLayout  = layout{elems: 32, alone: 64, paired: 56}
	crossLayout = layout{elems: 32, alone: 64, paired: 48}
	// K-quants have 8 or 16 scales of their own in 256 columns. To multiply by those in integers, there is one scale in 64
	// columns here, in blocks of 144 bytes:
	//
	//	64 × int8 q; 4 × (4 × int32 -32·Σq of 16 columns); float32 d; 2 × int16 Σq of 32 columns; 8 bytes unused
	wideLayout = layout{elems: 64, alone: 144, paired: 144}
	// Float16 activations have a scale in 128 columns, in blocks of 272 bytes:
	//
	//	128 × float16 x; float32 d; 12 bytes unused
	halfLayout = layout{elems: 128, alone: 272, paired: 272}
)

// rowBytes is table.Form.RowBytes.
func (l *layout) rowBytes(k int) int { return (k + l.elems - 1) / l.elems * l.alone }

// stride returns the bytes of one block of a group of rows rows.
func (l *layout) stride(rows int) int { return rows&^1*l.paired + rows&1*l.alone }

var (
	// rowForm rounds as the plain form does. start counts 8·Σq off, for the nibbles of Q4_0.
	rowForm = table.Form{Name: "q8row", RowBytes: rowLayout.rowBytes, Quantize: quantizeRows, Block: rowFormBlock}
	// pairForm rounds as the plain form does. start of a pair counts nothing off, for signed weights.
	pairForm = table.Form{Name: "q8pair", RowBytes: pairLayout.rowBytes, Quantize: quantizePairs, Block: pairFormBlock}
	// crossForm is for the bytes of Q4_0, l+16h with l, h in 0..15, taken as they are. Columns 0..15 of a block belong to
	// l, 16..31 to h, called x0 and x1. q holds c0 = round(x0/s - a1/16), then a1 = round(x1/s), so that
	//
	//	16·l·c0 + (l+16h)·a1 = 16·(h·a1 + l·(c0 + a1/16))
	//
	// where c0 + a1/16 is x0/s with the rounding error of c0 alone; d is s/16.
	crossForm = table.Form{Name: "q8cross", RowBytes: crossLayout.rowBytes, Quantize: quantizeCross, Block: crossFormBlock}
	// wideForm rounds as the plain form would with blocks of 64 columns; columns missing in the last block count as 0.
	wideForm = table.Form{Name: "q8wide", Elems: 64, RowBytes: wideLayout.rowBytes, Quantize: quantizeWide, Block: wideFormBlock}
	// halfForm rounds to float16, after scaling by the power of two that brings the largest magnitude among 128 columns to
	// 32 or more and below 64: far from what float16 cannot hold, at both ends, once multiplied with the weights of a model
	// and added up. The scale of a block with a value that is not finite is NaN.
	halfForm = table.Form{Name: "f16", Elems: 128, RowBytes: halfLayout.rowBytes, Quantize: quantizeHalf, Block: halfFormBlock}
)

func quantizeRows(q []byte, x []float32, rows, k int) {
	for r := range rows {
		quantizeRow(&q[r*rowLayout.alone], rowLayout.stride(rows), &x[r*k], k/rowLayout.elems)
	}
}

func quantizePairs(q []byte, x []float32, rows, k int) {
	stride, blocks := pairLayout.stride(rows), k/pairLayout.elems
	for r := range rows &^ 1 {
		block := q[r/2*2*pairLayout.paired:]
		quantizePair(&block[r%2*8], &block[64+r%2*4], stride, &x[r*k], blocks)
	}
	if last := rows - 1; rows%2 == 1 {
		quantizeRow(&q[last*pairLayout.paired], stride, &x[last*k], blocks)
	}
}

func quantizeCross(q []byte, x []float32, rows, k int) {
	stride, blocks := crossLayout.stride(rows), k/crossLayout.elems
	for r := range rows &^ 1 {
		block := q[r/2*2*crossLayout.paired:]
		quantizeCrossPair(&block[r%2*8], &block[64+r%2*4], stride, &x[r*k], blocks)
	}
	if last := rows - 1; rows%2 == 1 {
		quantizeCrossRow(&q[last*crossLayout.paired], stride, &x[last*k], blocks)
	}
}

func quantizeWide(q []byte, x []float32, rows, k int) {
	stride, blocks := wideLayout.stride(rows), k/wideLayout.elems
	for r := range rows {
		if blocks > 0 {
			quantizeWideRow(&q[r*wideLayout.alone], stride, &x[r*k], blocks)
		}
		if k%wideLayout.elems != 0 {
			var last [64]float32
			copy(last[:], x[r*k+blocks*wideLayout.elems:(r+1)*k])
			quantizeWideRow(&q[blocks*stride+r*wideLayout.alone], stride, &last[0], 1)
		}
	}
}

func quantizeHalf(q []byte, x []float32, rows, k int) {
	stride, blocks := halfLayout.stride(rows), k/halfLayout.elems
	for r := range rows {
		if blocks > 0 {
			quantizeHalfRow(&q[r*halfLayout.alone], stride, &x[r*k], blocks)
		}
		if k%halfLayout.elems != 0 {
			var last [128]float32
			copy(last[:], x[r*k+blocks*halfLayout.elems:(r+1)*k])
			quantizeHalfRow(&q[blocks*stride+r*halfLayout.alone], stride, &last[0], 1)
		}
	}
}

func rowFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	b := q[block*rowLayout.stride(rows)+row*rowLayout.alone:]
	for i := range v {
		v[i] = int32(int8(b[i]))
	}
	return float32At(b, 48), v
}

func pairFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	return pairBlock(&pairLayout, q, rows, row, block)
}

// pairBlock is table.Form.Block of a layout of pairs.
func pairBlock(l *layout, q []byte, rows, row, block int) (d float32, v [32]int32) {
	b := q[block*l.stride(rows)+row&^1*l.paired:]
	if row == rows-1 && rows%2 == 1 {
		return rowFormBlock(b, 1, 0, 0, 0)
	}
	for i := range v {
		v[i] = int32(int8(b[i/8*16+row%2*8+i%8]))
	}
	return float32At(b, 80+row%2*4), v
}

func crossFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	d, v = pairBlock(&crossLayout, q, rows, row, block)
	for i := range 16 {
		a1 := v[16+i]
		v[i], v[16+i] = 16*v[i]+a1, 16*a1
	}
	return d, v
}

func wideFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	b := q[block/2*wideLayout.stride(rows)+row*wideLayout.alone:]
	for i := range v {
		v[i] = int32(int8(b[block%2*32+i]))
	}
	return float32At(b, 128), v
}

// halfFormBlock gives the values in units of the smallest float16, of which 64 are 2^30.
func halfFormBlock(q []byte, rows, _, row, block int) (d float32, v [32]int32) {
	b := q[block/4*halfLayout.stride(rows)+row*halfLayout.alone:]
	for i := range v {
		v[i] = int32(tensor.F16ToF32(binary.LittleEndian.Uint16(b[block%4*64+2*i:])) * 0x1p24)
	}
	return float32At(b, 256) * 0x1p-24, v
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

// quantizeWideRow is quantizeRow for blocks of 64 columns.
//
//go:noescape
func quantizeWideRow(q *byte, stride int, x *float32, blocks int)

// quantizeHalfRow writes blocks blocks of 128 columns of the row x in halfForm, stride bytes apart.
//
//go:noescape
func quantizeHalfRow(q *byte, stride int, x *float32, blocks int)
