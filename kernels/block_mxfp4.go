package kernels

import (
	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/tensor"
)

var weightMXFP4 = weightFormat{
	tileRef: tileRef{
		dtype: tensor.MXFP4,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			v := b[tensor.TileRows+64*(c%16/4)+4*r+c%4]
			return int32(quants.E2M1[v>>(4*(c/16))&15])
		},
		scale: func(b []byte, r, _ int) (float32, float32) { return tensor.E8M0ToF32(b[r]) / 2, 0 },
	},
	unpackGo: unpackMXFP4Go,
}

var e2m1Bytes = nibbleBytesOf(&quants.E2M1)

func unpackMXFP4Go(dst, tile []byte) {
	const blockBytes = tensor.TileRows + 16*tensor.TileRows
	var d rowFloats
	for ; len(tile) > 0; dst, tile = dst[unpackedBytes:], tile[blockBytes:] {
		for r, e := range tile[:tensor.TileRows] {
			d[r] = tensor.E8M0ToF32(e) / 2
		}
		putScales(dst, &d)
		unpackNibbles(dst[unpackedQuants:unpackedBytes], tile[tensor.TileRows:blockBytes], &e2m1Bytes)
	}
}
