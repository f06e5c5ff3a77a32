package kernels

import "github.com/lever-go/lever/tensor"

var weightQ8_0 = weightFormat{
	tileRef: tileRef{
		dtype: tensor.Q8_0,
		run:   32,
		q:     func(b []byte, r, c int) int32 { return int32(int8(b[f16Bytes+64*(c/4)+4*r+c%4])) },
		scale: func(b []byte, r, _ int) (float32, float32) { return f16At(b, 2*r), 0 },
	},
	matMulGo:     productGo(&q8GoForm, tileQ8Go),
	dequantizeGo: dequantizeQ8Go,
}

func tileQ8Go(dst []float32, ldd int, tile, q []byte, rows int) {
	const blockBytes = f16Bytes + 32*tensor.TileRows
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	var lo, hi rowInts
	var wide [QuantBlock]uint64
	for at := 0; len(tile) > 0; at += q8BlockBytes {
		d.read(tile)
		w0, w1 := (*[16 * tensor.TileRows]byte)(tile[f16Bytes:]), (*[16 * tensor.TileRows]byte)(tile[f16Bytes+16*tensor.TileRows:])
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
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}

func dequantizeQ8Go(dst []float32, tile []byte, r int) {
	const blockBytes = f16Bytes + 32*tensor.TileRows
	for ; len(dst) > 0; dst, tile = dst[QuantBlock:], tile[blockBytes:] {
		d := f16At(tile, 2*r)
		for j := range 8 {
			for i, b := range tile[f16Bytes+64*j+4*r:][:4] {
				dst[4*j+i] = d * float32(int8(b))
			}
		}
	}
}
