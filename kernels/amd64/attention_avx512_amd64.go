//go:build !purego

package amd64

// attentionHeads is the number of heads that one pass over the keys serves.
const attentionHeads = 4

// scoresF16Avx512 is AttentionScoresF16 for 1 to 4 heads and at least one key.
//
//go:noescape
func scoresF16Avx512(s *float32, lds int, q *float32, heads, headDim int, k *uint16, keys int, scale float32)

// scoresF32Avx512 is scoresF16Avx512 for float32 keys.
//
//go:noescape
func scoresF32Avx512(s *float32, lds int, q *float32, heads, headDim int, k *float32, keys int, scale float32)

// valuesF16Avx512 is AttentionValuesF16 for 1 to 4 heads and at least one key.
//
//go:noescape
func valuesF16Avx512(acc, p *float32, ldp, heads, headDim int, v *uint16, keys int)

// valuesF32Avx512 is valuesF16Avx512 for float32 values.
//
//go:noescape
func valuesF32Avx512(acc, p *float32, ldp, heads, headDim int, v *float32, keys int)

func attentionScoresF16Avx512(s []float32, lds int, q []float32, heads, headDim int, k []uint16, keys int, scale float32) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		scoresF16Avx512(&s[h*lds], lds, &q[h*headDim], min(attentionHeads, heads-h), headDim, &k[0], keys, scale)
	}
}

func attentionScoresF32Avx512(s []float32, lds int, q []float32, heads, headDim int, k []float32, keys int, scale float32) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		scoresF32Avx512(&s[h*lds], lds, &q[h*headDim], min(attentionHeads, heads-h), headDim, &k[0], keys, scale)
	}
}

func attentionValuesF16Avx512(acc []float32, p []float32, ldp int, heads, headDim int, v []uint16, keys int) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		valuesF16Avx512(&acc[h*headDim], &p[h*ldp], ldp, min(attentionHeads, heads-h), headDim, &v[0], keys)
	}
}

func attentionValuesF32Avx512(acc []float32, p []float32, ldp int, heads, headDim int, v []float32, keys int) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		valuesF32Avx512(&acc[h*headDim], &p[h*ldp], ldp, min(attentionHeads, heads-h), headDim, &v[0], keys)
	}
}
