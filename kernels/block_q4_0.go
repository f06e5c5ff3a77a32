package kernels

import "github.com/lever-go/lever/tensor"

var weightQ4_0 = weightFormat{
	tileRef: tileRef{
		dtype: tensor.Q4_0,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			v := b[f16Bytes+64*(c%16/4)+4*r+c%4]
			return int32(v>>(4*(c/16))&15) - 8
		},
		scale: func(b []byte, r, _ int) (float32, float32) { return f16At(b, 2*r), 0 },
	},
	matMulGo:     productGo(&pairsForm, tileQ4Go),
	dequantizeGo: dequantizeQ4Go,
}

func tileQ4Go(dst []float32, ldd int, tile, q []byte, rows int) {
	const blockBytes = f16Bytes + 16*tensor.TileRows
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	var lo, hi rowInts
	for at := 0; len(tile) > 0; at += pairsBlockBytes {
		d.read(tile)
		w := (*[16 * tensor.TileRows]byte)(tile[f16Bytes:])
		for i := range rows {
			x := (*[pairsBlockBytes]byte)(q[i*rowBytes+at:])
			nibbleRows(&lo, &hi, w, (*[halfPairs]byte)(x[:]), (*[halfPairs]byte)(x[halfPairs:]))
			dx, bias := scaleAndSum(x[8*pairsPerBlock:])
			for r := range d {
				sums[i][r] += d[r] * dx * float32(lo[r]+hi[r]-8*bias)
			}
		}
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}

func dequantizeQ4Go(dst []float32, tile []byte, r int) {
	const blockBytes = f16Bytes + 16*tensor.TileRows
	for ; len(dst) > 0; dst, tile = dst[QuantBlock:], tile[blockBytes:] {
		d := f16At(tile, 2*r)
		lo, hi := dst[:16], dst[16:QuantBlock]
		for j := range 4 {
			for i, b := range tile[f16Bytes+64*j+4*r:][:4] {
				lo[4*j+i] = d * float32(int32(b&15)-8)
				hi[4*j+i] = d * float32(int32(b>>4)-8)
			}
		}
	}
}
