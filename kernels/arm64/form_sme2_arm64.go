package arm64

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
)

// outerRows is the number of rows of activations from which outer products pay: half of what one of 16 rows does.
const outerRows = 8

// A block of a group of outerRows rows or more takes 640 bytes, with places for 16 rows, of which those without a row hold anything:
//
//	16 × float32 d; 16 × int16 l, h; for j in 0..7, for each row 4 × int8 q of columns 4j … 4j+3
//
// where l + 256h is what a sum of products begins at. That is one 16-bit outer product with pairs 1, 256.
const (
	outerStarts     = 64
	outerQuants     = 128
	outerBlockBytes = 640
	outerRowBytes   = outerBlockBytes / outerRows // of a row of a group, in a block
)

// A block of 64 columns of K-quants takes 1152 bytes, likewise:
//
//	16 × float32 d; 16 × 2 × int16 Σq of 32 columns; for j in 0..31, for each row 2 × int8 q
//
// where j = 4i … 4i+3 are columns 4i and 4i+2, 32+4i and 34+4i, 4i+1 and 4i+3, 33+4i and 35+4i.
const (
	outerWideSums       = 64
	outerWideQuants     = 128
	outerWideBlockBytes = 1152
)

var (
	// outerForm is pairForm laid out for outer products; groups of less than outerRows rows are in pairForm.
	outerForm = table.Form{Name: "q8outer", RowBytes: outerBytes, Quantize: quantizeOuter, Block: outerFormBlock}
	// outerCrossForm is crossForm, laid out likewise.
	outerCrossForm = table.Form{Name: "q8outercross", RowBytes: outerBytes, Quantize: quantizeOuterCross, Block: outerCrossFormBlock}
	// outerWideForm is wideForm, laid out likewise.
	outerWideForm = table.Form{Name: "q8outerwide", Elems: 64, RowBytes: wideLayout.rowBytes, Quantize: quantizeOuterWide, Block: outerWideFormBlock}
)

func outerBytes(k int) int { return k / 32 * outerRowBytes }

func quantizeOuter(q []byte, x []float32, rows, k int) {
	if rows < outerRows {
		quantizePairs(q, x, rows, k)
		return
	}
	for r := range rows {
		quantizeOuterRow(q[4*r:], x[r*k:(r+1)*k], false)
	}
}

func quantizeOuterCross(q []byte, x []float32, rows, k int) {
	if rows < outerRows {
		quantizeCross(q, x, rows, k)
		return
	}
	for r := range rows {
		quantizeOuterRow(q[4*r:], x[r*k:(r+1)*k], true)
	}
}

// quantizeOuterRow writes one row of a group; q begins with its d. Signed weights need no start.
func quantizeOuterRow(q []byte, x []float32, cross bool) {
	const some = 16 // blocks at a time
	var alone [some * 64]byte
	for len(x) > 0 {
		n := min(some*rowLayout.elems, len(x))
		if cross {
			quantizeCrossRow(&alone[0], rowLayout.alone, &x[0], n/rowLayout.elems)
		} else {
			quantizeRow(&alone[0], rowLayout.alone, &x[0], n/rowLayout.elems)
		}
		for b := range n / rowLayout.elems {
			from := (*[64]byte)(alone[b*rowLayout.alone:])
			to := (*[outerBlockBytes - 4*(groupRows-1)]byte)(q)
			copy(to[:4], from[48:])
			if cross {
				start := int32(binary.LittleEndian.Uint32(from[32:])) - int32(math.Float32bits(0x1.8p23))
				binary.LittleEndian.PutUint32(to[outerStarts:], uint32(start)&0xff|uint32(start>>8)<<16)
			}
			for j := range 8 {
				copy(to[outerQuants+4*groupRows*j:][:4], from[4*j:])
			}
			q = q[min(outerBlockBytes, len(q)):]
		}
		x = x[n:]
	}
}

func outerFormBlock(q []byte, rows, k, row, block int) (d float32, v [32]int32) {
	if rows < outerRows {
		return pairFormBlock(q, rows, k, row, block)
	}
	b := q[block*outerBlockBytes+4*row:]
	for i := range v {
		v[i] = int32(int8(b[outerQuants+4*groupRows*(i/4)+i%4]))
	}
	return float32At(b, 0), v
}

func outerCrossFormBlock(q []byte, rows, k, row, block int) (d float32, v [32]int32) {
	if rows < outerRows {
		return crossFormBlock(q, rows, k, row, block)
	}
	d, v = outerFormBlock(q, rows, k, row, block)
	for i := range 16 {
		a1 := v[16+i]
		v[i], v[16+i] = 16*v[i]+a1, 16*a1
	}
	return d, v
}

func quantizeOuterWide(q []byte, x []float32, rows, k int) {
	if rows < outerRows {
		quantizeWide(q, x, rows, k)
		return
	}
	for r := range rows {
		quantizeOuterWideRow(q, x[r*k:(r+1)*k], r)
	}
}

// quantizeOuterWideRow writes row r of a group.
func quantizeOuterWideRow(q []byte, x []float32, r int) {
	const elems = 64
	var alone [144]byte
	for ; len(x) > 0; q = q[outerWideBlockBytes:] {
		if len(x) >= elems {
			quantizeWideRow(&alone[0], wideLayout.alone, &x[0], 1)
			x = x[elems:]
		} else {
			quantizeWide(alone[:], x, 1, len(x))
			x = nil
		}
		copy(q[4*r:][:4], alone[128:])
		copy(q[outerWideSums+4*r:][:4], alone[132:])
		for at := range elems {
			q[outerWideAt(at)+2*r] = alone[at]
		}
	}
}

// outerWideAt returns where column c of a block stands, for row 0. Rows are two bytes apart.
func outerWideAt(c int) int {
	j := c%32/4*4 + c%2*2 + c/32
	return outerWideQuants + 2*groupRows*j + c%4/2
}

func outerWideFormBlock(q []byte, rows, k, row, block int) (d float32, v [32]int32) {
	if rows < outerRows {
		return wideFormBlock(q, rows, k, row, block)
	}
	b := q[block/2*outerWideBlockBytes:]
	for i := range v {
		v[i] = int32(int8(b[outerWideAt(block%2*32+i)+2*row]))
	}
	return float32At(b, 4*row), v
}
