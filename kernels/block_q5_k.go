package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// Offsets in a block of a tile, whose scales stand where those of Q4_K do.
const (
	q5KLow  = q4KQuants
	q5KHigh = q5KLow + 128*rowsOfTile
)

var weightQ5_K = weightFormat{
	tileRef: tileRef{
		dtype: tensor.Q5_K,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			// Bit c/32 of qh is the fifth bit.
			i, h := 32*(c/64)+c%32, c%32
			low := b[q5KLow+64*(i/4)+4*r+i%4] >> (4 * (c / 32 % 2)) & 15
			high := b[q5KHigh+64*(h/4)+4*r+h%4] >> (c / 32) & 1
			return int32(low | high<<4)
		},
		scale: weightQ4_K.scale,
	},
	unpackGo: unpackQ5KGo,
	layout:   table.Minima,
}

const q5KBlockBytes = q5KHigh + 32*tensor.TileRows

// unpackQ5KGo unpacks words of two rows at a time.
func unpackQ5KGo(dst, tile []byte) {
	const (
		run     = 32 * tensor.TileRows // bytes of 32 columns
		nibbles = 0x0f0f0f0f0f0f0f0f
		ones    = 0x0101010101010101
	)
	var d, dmin rowFloats
	for ; len(tile) > 0; tile = tile[q5KBlockBytes:] {
		d.read(tile)
		dmin.read(tile[f16Bytes:])
		high := tile[q5KHigh:q5KBlockBytes]
		for s := range 8 {
			putScaled(dst, &d, func(r int) float32 {
				sc, _ := q4KScale(tile, r, s)
				return float32(sc)
			})
			putScaled(dst[4*tensor.TileRows:], &dmin, func(r int) float32 {
				_, m := q4KScale(tile, r, s)
				return float32(m)
			})
			low, out := tile[q5KLow+s/2*run:][:run], dst[minimaQuants:minimaBytes]
			for i := 0; i < run; i += 8 {
				l := binary.LittleEndian.Uint64(low[i:]) >> (s % 2 * 4) & nibbles
				h := binary.LittleEndian.Uint64(high[i:]) >> s & ones << 4
				binary.LittleEndian.PutUint64(out[i:], l|h)
			}
			dst = dst[minimaBytes:]
		}
	}
}
