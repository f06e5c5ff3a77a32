//go:build !purego

package amd64

// quantBlock is the number of elements of a quantised key or value that share a scale.
const quantBlock = 32

// scoresQ8Avx2 is AttentionScoresQ8 for 1 to 4 heads and at least one key.
//
//go:noescape
func scoresQ8Avx2(s *float32, lds int, q *int8, heads, headDim int, k *int8, keys int, d *float32, ldd int)

// valuesQ8Avx2 is AttentionValuesQ8 for 16 columns of a block, 1 to 4 heads, and at least one key; ldw is the distance of the weights of heads.
//
//go:noescape
func valuesQ8Avx2(acc *float32, headDim int, w *float32, ldw, heads int, v *uint8, keys int)

// valuesQ4Avx2 is valuesQ8Avx2 for values of four bits.
//
//go:noescape
func valuesQ4Avx2(acc *float32, headDim int, w *float32, ldw, heads int, v *uint8, keys int)

func attentionScoresQ8Avx2(s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		scoresQ8Avx2(&s[h*lds], lds, &q[h*headDim], min(attentionHeads, heads-h), headDim, &k[0], keys, &d[0], ldd)
	}
}

func attentionValuesQ8Avx2(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	valuesOf(valuesQ8Avx2, 1, acc, w, ldw, heads, headDim, v, keys)
}

func attentionValuesQ4Avx2(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	valuesOf(valuesQ4Avx2, 2, acc, w, ldw, heads, headDim, v, keys)
}

// valuesOf adds values of so many columns in a byte.
func valuesOf(add func(acc *float32, headDim int, w *float32, ldw, heads int, v *uint8, keys int), columns int,
	acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		for c := 0; c < headDim; c += quantBlock / 2 {
			at := h*headDim + c
			add(&acc[at], headDim, &w[at/quantBlock*ldw], headDim/quantBlock*ldw, min(attentionHeads, heads-h), &v[c/columns], keys)
		}
	}
}
