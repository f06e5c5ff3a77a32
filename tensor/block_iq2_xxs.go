package tensor

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
)

const iq2xxsD, iq2xxsQs, iq2xxsBytes = 0, 2, iq2xxsQs + superBlock/4

var _ = [1]int{}[iq2xxsBytes-66]

var formatIQ2_XXS = format{name: "iq2_xxs", blockElems: superBlock, blockBytes: iq2xxsBytes, decode: decodeIQ2_XXS}

// decodeIQ2_XXS: each 32 elements have 8 bytes, of which four are indices of vectors of eight magnitudes; the rest are four times seven signs
// and, on top, a scale of four bits.
func decodeIQ2_XXS(dst []float32, src []byte) {
	vectors := iq2xxsCodebook()
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq2xxsBytes:] {
		d := f16At(src, iq2xxsD)
		for run := range superBlock / 32 {
			qs := src[iq2xxsQs+8*run:][:8]
			signs := binary.LittleEndian.Uint32(qs[4:])
			scale := d * (float32(signs>>28) + 0.5) / 4
			for j, index := range qs[:4] {
				decodeSigned(dst[32*run+8*j:][:8], scale, &vectors[index], quants.EvenSigns(uint8(signs>>(7*j)&127)))
			}
		}
	}
}
