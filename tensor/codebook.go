package tensor

import (
	"encoding/base64"
	"sync"
)

// codebook makes a function that returns the vectors of a codebook: those of the 3⁸ vectors of three levels that belong to it, in the order of
// their numbers in base 3, whose lowest digit is the first element. belongs is a bit for each in base64.
func codebook(belongs string, levels [3]int8) func() [][8]int8 {
	return sync.OnceValue(func() (vectors [][8]int8) {
		set, err := base64.RawStdEncoding.DecodeString(belongs)
		if err != nil {
			panic("tensor: codebook: " + err.Error())
		}
		for number := range 6561 {
			if set[number/8]>>(number%8)&1 == 0 {
				continue
			}
			var v [8]int8
			for i, rest := 0, number; i < len(v); i, rest = i+1, rest/3 {
				v[i] = levels[rest%3]
			}
			vectors = append(vectors, v)
		}
		return vectors
	})
}

// iq2Levels are the magnitudes of elements of the IQ2 formats.
var iq2Levels = [3]int8{8, 25, 43}

var (
	iq2xxsCodebook = codebook(iq2xxsVectors, iq2Levels)
	iq2xsCodebook  = codebook(iq2xsVectors, iq2Levels)
	iq2sCodebook   = codebook(iq2sVectors, iq2Levels)
	iq1Codebook    = codebook(iq1Vectors, [3]int8{-1, 0, 1})
)

// decodeSigned writes scale times a vector of magnitudes, negative where bits of signs are set.
func decodeSigned(dst []float32, scale float32, magnitudes *[8]int8, signs uint8) {
	for i, m := range magnitudes {
		dst[i] = scale * float32(m)
		if signs>>i&1 != 0 {
			dst[i] = -dst[i]
		}
	}
}
