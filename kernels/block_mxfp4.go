package kernels

import "github.com/lever-go/lever/tensor"

var weightMXFP4 = weightFormat{
	tileRef: tileRef{
		dtype: tensor.MXFP4,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			v := b[tensor.TileRows+64*(c%16/4)+4*r+c%4]
			return int32(mxfp4Values[v>>(4*(c/16))&15])
		},
		scale: func(b []byte, r, _ int) (float32, float32) { return tensor.E8M0ToF32(b[r]) / 2, 0 },
	},
	matMulGo: productGo(&q8GoForm, tileMXFP4Go),
}

// mxfp4Values are twice the numbers of the quants.
var mxfp4Values = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

var mxfp4Bytes = nibbleBytesOf(&mxfp4Values)

func tileMXFP4Go(dst []float32, ldd int, tile, q []byte, rows int) {
	const blockBytes = tensor.TileRows + 16*tensor.TileRows
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	for at := 0; len(tile) > 0; at += q8BlockBytes {
		for r, e := range tile[:tensor.TileRows] {
			d[r] = tensor.E8M0ToF32(e) / 2
		}
		addNibbles(&sums, &d, (*[16 * tensor.TileRows]byte)(tile[tensor.TileRows:]), &mxfp4Bytes, q[at:], rowBytes, rows)
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}
