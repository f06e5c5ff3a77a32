package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/tensor"
)

// Offsets in a block of a tile.
const (
	iq3SScales = f16Bytes
	iq3SHigh   = iq3SScales + 4*rowsOfTile
	iq3SSigns  = iq3SHigh + 8*rowsOfTile
	iq3SQuants = iq3SSigns + 32*rowsOfTile
)

var weightIQ3_S = weightFormat{
	tileRef: tileRef{
		dtype: tensor.IQ3_S,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			high := int(b[iq3SHigh+rowsOfTile*(c/32)+r]>>(c/4%8)&1) << 8
			magnitudes := quants.IQ3S[high|int(b[iq3SQuants+rowsOfTile*(c/4)+r])]
			return signed(magnitudes, b[iq3SSigns+rowsOfTile*(c/8)+r], c)
		},
		scale: func(b []byte, r, run int) (float32, float32) { return f16At(b, 2*r) * iq3SScale(b, r, run), 0 },
	},
	unpackGo: unpackIQ3SGo,
}

func iq3SScale(b []byte, r, run int) float32 {
	return float32(1 + 2*(b[iq3SScales+rowsOfTile*(run/2)+r]>>(4*(run%2))&15))
}

// signed returns column c of the four magnitudes that it is one of, negative if its bit of the signs of eight columns is set.
func signed(magnitudes uint32, signs byte, c int) int32 {
	v := int32(magnitudes >> (8 * (c % 4)) & 255)
	if signs>>(c%8)&1 != 0 {
		return -v
	}
	return v
}

func unpackIQ3SGo(dst, tile []byte) {
	const (
		blockBytes = iq3SQuants + 64*tensor.TileRows
		group      = 4 * tensor.TileRows // bytes of four columns
	)
	var d rowFloats
	for ; len(tile) > 0; tile = tile[blockBytes:] {
		d.read(tile)
		for s := range 8 {
			putScaled(dst, &d, func(r int) float32 { return iq3SScale(tile, r, s) })
			high := tile[iq3SHigh+s*tensor.TileRows:][:tensor.TileRows]
			for g := range 4 { // of eight columns
				signs := tile[iq3SSigns+(4*s+g)*tensor.TileRows:][:tensor.TileRows]
				indices := tile[iq3SQuants+(8*s+2*g)*tensor.TileRows:][:2*tensor.TileRows]
				out := dst[unpackedQuants+2*g*group:][:2*group]
				for r := range tensor.TileRows {
					h, sign := int(high[r])<<8>>(2*g), int(signs[r])
					first := quants.IQ3SSigned[sign&15<<9|h&256|int(indices[r])]
					second := quants.IQ3SSigned[sign>>4<<9|h>>1&256|int(indices[tensor.TileRows+r])]
					binary.LittleEndian.PutUint32(out[4*r:], first)
					binary.LittleEndian.PutUint32(out[group+4*r:], second)
				}
			}
			dst = dst[unpackedBytes:]
		}
	}
}
