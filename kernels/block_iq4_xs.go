package kernels

import (
	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/tensor"
)

// Offsets in a block of a tile.
const (
	iq4XSHigh   = f16Bytes
	iq4XSLow    = iq4XSHigh + 2*rowsOfTile
	iq4XSQuants = iq4XSLow + 4*rowsOfTile
)

var weightIQ4_XS = weightFormat{
	tileRef: tileRef{
		dtype: tensor.IQ4_XS,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			i := 16*(c/32) + c%16 // of qs
			v := b[iq4XSQuants+64*(i/4)+4*r+i%4]
			return int32(quants.IQ4[v>>(4*(c/16%2))&15])
		},
		scale: func(b []byte, r, run int) (float32, float32) { return f16At(b, 2*r) * iq4XSScale(b, r, run), 0 },
	},
	unpackGo: unpackIQ4XSGo,
}

// iq4XSScale unpacks the 6-bit scale of a run of 32 columns.
func iq4XSScale(b []byte, r, run int) float32 {
	low := b[iq4XSLow+rowsOfTile*(run/2)+r] >> (4 * (run % 2)) & 15
	high := b[iq4XSHigh+rowsOfTile*(run/4)+r] >> (2 * (run % 4)) & 3
	return float32(int(low|high<<4) - 32)
}

func unpackIQ4XSGo(dst, tile []byte) {
	const (
		blockBytes = iq4XSQuants + 128*tensor.TileRows
		run        = 16 * tensor.TileRows // bytes of 32 columns
	)
	var d rowFloats
	for ; len(tile) > 0; tile = tile[blockBytes:] {
		d.read(tile)
		for s := range 8 {
			putScaled(dst, &d, func(r int) float32 { return iq4XSScale(tile, r, s) })
			unpackNibbles(dst[unpackedQuants:unpackedBytes], tile[iq4XSQuants+s*run:][:run], &iq4Bytes)
			dst = dst[unpackedBytes:]
		}
	}
}
