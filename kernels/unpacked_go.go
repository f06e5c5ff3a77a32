package kernels

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// Where a block of an unpacked tile has its integers, and its size, without minima and with them; see [table.Layout].
const (
	unpackedQuants = 4 * tensor.TileRows
	unpackedBytes  = unpackedQuants + 32*tensor.TileRows
	minimaQuants   = 2 * 4 * tensor.TileRows
	minimaBytes    = minimaQuants + 32*tensor.TileRows
)

// matMulUnpackedGo are the portable products with unpacked tiles.
var matMulUnpackedGo = map[table.Layout]table.QuantMatMul{
	table.Signed: productGo(&q8GoForm, func(dst []float32, ldd int, tile, q []byte, rows int) {
		tileUnpackedGo(dst, ldd, tile, q, rows, false)
	}),
	table.Minima: productGo(&q8GoForm, func(dst []float32, ldd int, tile, q []byte, rows int) {
		tileUnpackedGo(dst, ldd, tile, q, rows, true)
	}),
}

func tileUnpackedGo(dst []float32, ldd int, tile, q []byte, rows int, minima bool) {
	rowBytes, blockBytes := len(q)/rows, unpackedBytes
	if minima {
		blockBytes = minimaBytes
	}
	var sums rowSums
	var d, m rowFloats
	var lo, hi rowInts
	var wide [QuantBlock]uint64
	for at := 0; len(tile) > 0; at += q8BlockBytes {
		d.readF32(tile)
		if minima {
			m.readF32(tile[4*tensor.TileRows:])
		}
		w := tile[blockBytes-32*tensor.TileRows : blockBytes]
		w0, w1 := (*[16 * tensor.TileRows]byte)(w), (*[16 * tensor.TileRows]byte)(w[16*tensor.TileRows:])
		for i := range rows {
			x := (*[q8BlockBytes]byte)(q[i*rowBytes+at:])
			widen(&wide, x)
			byteRows(&lo, w0, byteSigns, (*[16]uint64)(wide[:16]))
			byteRows(&hi, w1, byteSigns, (*[16]uint64)(wide[16:]))
			dx, sum := scaleAndSum(x[QuantBlock:])
			for r := range d {
				sums[i][r] += dx * (d[r]*float32(lo[r]+hi[r]-128*sum) - m[r]*float32(sum))
			}
		}
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}

// readF32 reads 16 numbers.
func (d *rowFloats) readF32(b []byte) {
	_ = b[4*tensor.TileRows-1]
	for r := range d {
		d[r] = f32At(b, 4*r)
	}
}

// putScales writes the scales of a block of an unpacked tile.
func putScales(block []byte, d *rowFloats) {
	for r, v := range d {
		binary.LittleEndian.PutUint32(block[4*r:], math.Float32bits(v))
	}
}

// putScaled is putScales of d times what factor gives for each row.
func putScaled(block []byte, d *rowFloats, factor func(r int) float32) {
	var scaled rowFloats
	for r, v := range d {
		scaled[r] = v * factor(r)
	}
	putScales(block, &scaled)
}
