package kernels

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// unpackedQuants is where a block of an unpacked tile has its integers; see [table.UnpackedBlockBytes].
const unpackedQuants = 4 * tensor.TileRows

// unpackedGo is the portable product with unpacked tiles.
var unpackedGo = productGo(&q8GoForm, tileUnpackedGo)

func tileUnpackedGo(dst []float32, ldd int, tile, q []byte, rows int) {
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	var lo, hi rowInts
	var wide [QuantBlock]uint64
	for at := 0; len(tile) > 0; at += q8BlockBytes {
		for r := range d {
			d[r] = f32At(tile, 4*r)
		}
		w := tile[unpackedQuants:table.UnpackedBlockBytes]
		w0, w1 := (*[16 * tensor.TileRows]byte)(w), (*[16 * tensor.TileRows]byte)(w[16*tensor.TileRows:])
		for i := range rows {
			x := (*[q8BlockBytes]byte)(q[i*rowBytes+at:])
			widen(&wide, x)
			byteRows(&lo, w0, byteSigns, (*[16]uint64)(wide[:16]))
			byteRows(&hi, w1, byteSigns, (*[16]uint64)(wide[16:]))
			dx, bias := scaleAndSum(x[QuantBlock:])
			for r := range d {
				sums[i][r] += d[r] * dx * float32(lo[r]+hi[r]-128*bias)
			}
		}
		tile = tile[table.UnpackedBlockBytes:]
	}
	sums.store(dst, ldd, rows)
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
