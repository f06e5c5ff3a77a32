package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/tensor"
)

// Offsets in a block of a tile.
const (
	iq3XXSQuants = f16Bytes
	iq3XXSSigns  = iq3XXSQuants + 64*rowsOfTile
)

var weightIQ3_XXS = weightFormat{
	tileRef: tileRef{
		dtype: tensor.IQ3_XXS,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			signs := quants.EvenSigns(byte(iq3XXSWord(b, r, c/32) >> (7 * (c / 8 % 4)) & 127))
			return signed(quants.IQ3XXS[b[iq3XXSQuants+rowsOfTile*(c/4)+r]], signs, c)
		},
		scale: func(b []byte, r, run int) (float32, float32) {
			return f16At(b, 2*r) * iq3XXSScale(iq3XXSWord(b, r, run)), 0
		},
	},
	unpackGo: unpackIQ3XXSGo,
}

// iq3XXSWord returns the signs and the scale of a run of 32 columns.
func iq3XXSWord(b []byte, r, run int) uint32 {
	return binary.LittleEndian.Uint32(b[iq3XXSSigns+4*rowsOfTile*run+4*r:])
}

func iq3XXSScale(word uint32) float32 { return (float32(word>>28) + 0.5) * 0.5 }

func unpackIQ3XXSGo(dst, tile []byte) {
	const (
		blockBytes = iq3XXSSigns + 32*tensor.TileRows
		group      = 4 * tensor.TileRows // bytes of four columns
	)
	var d rowFloats
	for ; len(tile) > 0; tile = tile[blockBytes:] {
		d.read(tile)
		for s := range 8 {
			putScaled(dst, &d, func(r int) float32 { return iq3XXSScale(iq3XXSWord(tile, r, s)) })
			signs := tile[iq3XXSSigns+s*group:][:group]
			for g := range 4 { // of eight columns
				indices := tile[iq3XXSQuants+(8*s+2*g)*tensor.TileRows:][:2*tensor.TileRows]
				out := dst[unpackedQuants+2*g*group:][:2*group]
				for r := range tensor.TileRows {
					sign := int(quants.EvenSigns(byte(binary.LittleEndian.Uint32(signs[4*r:]) >> (7 * g) & 127)))
					first := quants.IQ3XXSSigned[sign&15<<8|int(indices[r])]
					second := quants.IQ3XXSSigned[sign>>4<<8|int(indices[tensor.TileRows+r])]
					binary.LittleEndian.PutUint32(out[4*r:], first)
					binary.LittleEndian.PutUint32(out[group+4*r:], second)
				}
			}
			dst = dst[unpackedBytes:]
		}
	}
}
