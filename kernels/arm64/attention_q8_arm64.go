package arm64

// quantBlock is the number of elements of a quantised key or value that share a scale.
const quantBlock = 32

// byteUnit is what valuesQ8 and valuesQ4 take an integer of one for.
const byteUnit = 0x1p-133

func attentionScoresQ8Neon(s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int) {
	scoresQ8(false, s, lds, q, heads, headDim, k, keys, d, ldd)
}

func attentionScoresQ8Dotprod(s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int) {
	scoresQ8(true, s, lds, q, heads, headDim, k, keys, d, ldd)
}

// scoresQ8 puts scores together from groups of four keys; dotprod says to use SDOT.
func scoresQ8(dotprod bool, s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int) {
	h, fours := 0, keys/4
	for _, group := range headGroups {
		for ; h+group <= heads; h += group {
			if fours > 0 {
				scoreKeysQ8(dotprod, group, &s[h*lds], lds, &q[h*headDim], headDim, &k[0], headDim, fours, &d[0], ldd)
			}
			// A key that remains takes all four places, with the scales of what follows in three of them.
			for j := 4 * fours; j < keys; j++ {
				var four [16]float32
				scoreKeysQ8(dotprod, group, &four[0], 4, &q[h*headDim], headDim, &k[j*headDim], 0, 1, &d[j], ldd)
				for i := range group {
					s[(h+i)*lds+j] = four[4*i]
				}
			}
		}
	}
}

// scoreKeysQ8 computes the scores of 4·fours keys, which lie keyStride bytes apart, for heads heads.
func scoreKeysQ8(dotprod bool, heads int, s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int) {
	switch {
	case heads == 4 && dotprod:
		scoresQ8x4Dotprod(s, lds, q, headDim, k, keyStride, fours, d, ldd)
	case heads == 2 && dotprod:
		scoresQ8x2Dotprod(s, lds, q, headDim, k, keyStride, fours, d, ldd)
	case dotprod:
		scoresQ8x1Dotprod(s, lds, q, headDim, k, keyStride, fours, d, ldd)
	case heads == 4:
		scoresQ8x4Neon(s, lds, q, headDim, k, keyStride, fours, d, ldd)
	case heads == 2:
		scoresQ8x2Neon(s, lds, q, headDim, k, keyStride, fours, d, ldd)
	default:
		scoresQ8x1Neon(s, lds, q, headDim, k, keyStride, fours, d, ldd)
	}
}

func attentionValuesQ8Neon(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	valuesOf([...]valuesFunc{valuesQ8x4Neon, valuesQ8x2Neon, valuesQ8x1Neon}, 1, acc, w, ldw, heads, headDim, v, keys)
}

func attentionValuesQ4Neon(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	valuesOf([...]valuesFunc{valuesQ4x4Neon, valuesQ4x2Neon, valuesQ4x1Neon}, 2, acc, w, ldw, heads, headDim, v, keys)
}

// valuesFunc adds the weighted values of a block for some heads, whose weights lie ldw apart.
type valuesFunc func(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)

// valuesOf adds values of so many columns in a byte, with a function for each of headGroups.
func valuesOf(add [len(headGroups)]valuesFunc, columns int, acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	h, step := 0, headDim/quantBlock*ldw
	for i, group := range headGroups {
		for ; h+group <= heads && keys > 0; h += group {
			for c := 0; c < headDim; c += quantBlock {
				at := h*headDim + c
				add[i](&acc[at], headDim, &w[at/quantBlock*ldw], step, &v[c/columns], keys)
			}
		}
	}
}

// scoresQ8x4Neon computes the scores of 4·fours keys for four heads; the others are for two and one, and by SDOT.
//
//go:noescape
func scoresQ8x4Neon(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)

//go:noescape
func scoresQ8x2Neon(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)

//go:noescape
func scoresQ8x1Neon(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)

//go:noescape
func scoresQ8x4Dotprod(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)

//go:noescape
func scoresQ8x2Dotprod(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)

//go:noescape
func scoresQ8x1Dotprod(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)

// valuesQ8x4Neon and the others are valuesFunc for four, two and one heads; see valuesOf.
//
//go:noescape
func valuesQ8x4Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)

//go:noescape
func valuesQ8x2Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)

//go:noescape
func valuesQ8x1Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)

//go:noescape
func valuesQ4x4Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)

//go:noescape
func valuesQ4x2Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)

//go:noescape
func valuesQ4x1Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
