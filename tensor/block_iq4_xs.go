package tensor

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
)

const (
	iq4xsD, iq4xsScalesH, iq4xsScalesL = 0, 2, 4
	iq4xsQs, iq4xsBytes                = iq4xsScalesL + superBlock/64, iq4xsQs + superBlock/2
)

var _ = [1]int{}[iq4xsBytes-136]

var formatIQ4_XS = format{
	name: "iq4_xs", blockElems: superBlock, blockBytes: iq4xsBytes,
	decode: decodeIQ4_XS, fitter: newFitterIQ4_XS,
	fields: []Field{
		{"d", iq4xsD, 2, 2}, {"scales_h", iq4xsScalesH, 2, 1}, {"scales_l", iq4xsScalesL, iq4xsQs - iq4xsScalesL, 1},
		{"qs", iq4xsQs, iq4xsBytes - iq4xsQs, 4},
	},
}

// decodeIQ4_XS: each 32 elements are 16 bytes of nibbles as in IQ4_NL and have a scale, whose low four bits are a nibble of scales_l and
// whose high two bits are a bit pair of scales_h.
func decodeIQ4_XS(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq4xsBytes:] {
		d, high := f16At(src, iq4xsD), binary.LittleEndian.Uint16(src[iq4xsScalesH:])
		for j := range 8 {
			scale := int(src[iq4xsScalesL+j/2]>>(j%2*4)&15|byte(high>>(2*j)&3)<<4) - 32
			decodeNibbles(dst[32*j:][:32], d*float32(scale), src[iq4xsQs+16*j:][:16], &quants.IQ4)
		}
	}
}

var levelsIQ4 = newLevels(quants.IQ4[:]...)

type fitterIQ4_XS struct{ runs }

func newFitterIQ4_XS() fitter { return &fitterIQ4_XS{runs{size: 32, levels: levelsIQ4, limit: 32}} }

func (r *fitterIQ4_XS) put(dst []byte) {
	clear(dst)
	putF16(dst[iq4xsD:], r.d)
	high := uint16(0)
	for j, scale := range r.scales[:8] {
		dst[iq4xsScalesL+j/2] |= byte(scale+32) & 15 << (j % 2 * 4)
		high |= uint16(scale+32) >> 4 << (2 * j)
		putNibbles(dst[iq4xsQs+16*j:][:16], r.values[32*j:][:32], levelsIQ4)
	}
	binary.LittleEndian.PutUint16(dst[iq4xsScalesH:], high)
}

// putNibbles is the inverse of decodeNibbles.
func putNibbles(qs []byte, values []int8, l *levels) {
	for i := range qs {
		qs[i] = l.index(values[i]) | l.index(values[len(qs)+i])<<4
	}
}
