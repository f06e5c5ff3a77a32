package tensor

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
)

const (
	iq3xxsD, iq3xxsQs        = 0, 2
	iq3xxsSigns, iq3xxsBytes = iq3xxsQs + superBlock/4, iq3xxsSigns + superBlock/8
)

var _ = [1]int{}[iq3xxsBytes-98]

var formatIQ3_XXS = format{
	name: "iq3_xxs", blockElems: superBlock, blockBytes: iq3xxsBytes,
	decode: decodeIQ3_XXS, fitter: newFitterIQ3_XXS,
	fields: []Field{{"d", iq3xxsD, 2, 2}, {"qs", iq3xxsQs, iq3xxsSigns - iq3xxsQs, 1}, {"signs", iq3xxsSigns, iq3xxsBytes - iq3xxsSigns, 4}},
}

// decodeIQ3_XXS: each byte of qs stands for the magnitudes of four elements. Each 32 elements have a word of signs: seven bits for each
// eight elements, from which the eighth follows, then four bits of a scale, d·(s+½)/2.
func decodeIQ3_XXS(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq3xxsBytes:] {
		d := f16At(src, iq3xxsD)
		for run := range 8 {
			word := binary.LittleEndian.Uint32(src[iq3xxsSigns+4*run:])
			scale := d * (float32(word>>28) + 0.5) * 0.5
			for g := range 4 {
				signs := quants.EvenSigns(byte(word >> (7 * g) & 127))
				qs, y := src[iq3xxsQs+8*run+2*g:][:2], dst[32*run+8*g:][:8]
				decodeFour(y, scale, quants.IQ3XXS[qs[0]], signs)
				decodeFour(y[4:], scale, quants.IQ3XXS[qs[1]], signs>>4)
			}
		}
	}
}

// decodeFour writes scale times four magnitudes, a byte each, negative where the bit of signs is set.
func decodeFour(dst []float32, scale float32, magnitudes uint32, signs byte) {
	for e := range 4 {
		v := int(magnitudes >> (8 * e) & 255)
		if signs>>e&1 != 0 {
			v = -v
		}
		dst[e] = scale * float32(v)
	}
}

type fitterIQ3_XXS struct{ gridRuns }

func newFitterIQ3_XXS() fitter { return &fitterIQ3_XXS{gridRuns{grid: gridIQ3_XXS(), even: true}} }

// fit refuses a unit that cannot be stored, which is four times as large.
func (r *fitterIQ3_XXS) fit(x, importance []float32) error {
	err := r.gridRuns.fit(x, importance)
	if err == nil {
		_, err = roundScale(4 * r.unit)
	}
	return err
}

func (r *fitterIQ3_XXS) put(dst []byte) {
	clear(dst)
	putF16(dst[iq3xxsD:], 4*r.unit)
	for run, s := range r.scales {
		word := uint32(s) << 28
		for g, signs := range r.signs[4*run:][:4] {
			word |= uint32(signs&127) << (7 * g)
		}
		binary.LittleEndian.PutUint32(dst[iq3xxsSigns+4*run:], word)
	}
	for i, q := range r.quants {
		dst[iq3xxsQs+i] = byte(q)
	}
}
