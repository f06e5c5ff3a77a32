//go:build !purego

package amd64

import "github.com/lever-go/lever/tensor"

// scoresF16Avx2 is AttentionScoresF16 for 1 to 4 heads and at least one key, over the first headDim &^ 7 columns.
//
//go:noescape
func scoresF16Avx2(s *float32, lds int, q *float32, heads, headDim int, k *uint16, keys int, scale float32)

// scoresF32Avx2 is scoresF16Avx2 for float32 keys.
//
//go:noescape
func scoresF32Avx2(s *float32, lds int, q *float32, heads, headDim int, k *float32, keys int, scale float32)

// valuesF16Avx2 is AttentionValuesF16 for 1 to 4 heads and at least one key, in the first headDim &^ 7 columns.
//
//go:noescape
func valuesF16Avx2(acc, p *float32, ldp, heads, headDim int, v *uint16, keys int)

// valuesF32Avx2 is valuesF16Avx2 for float32 values.
//
//go:noescape
func valuesF32Avx2(acc, p *float32, ldp, heads, headDim int, v *float32, keys int)

func attentionScoresF16Avx2(s []float32, lds int, q []float32, heads, headDim int, k []uint16, keys int, scale float32) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		scoresF16Avx2(&s[h*lds], lds, &q[h*headDim], min(attentionHeads, heads-h), headDim, &k[0], keys, scale)
	}
	scoreLastColumns(s, lds, q, heads, headDim, k, keys, scale, tensor.F16ToF32)
}

func attentionScoresF32Avx2(s []float32, lds int, q []float32, heads, headDim int, k []float32, keys int, scale float32) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		scoresF32Avx2(&s[h*lds], lds, &q[h*headDim], min(attentionHeads, heads-h), headDim, &k[0], keys, scale)
	}
	scoreLastColumns(s, lds, q, heads, headDim, k, keys, scale, same)
}

func attentionValuesF16Avx2(acc []float32, p []float32, ldp int, heads, headDim int, v []uint16, keys int) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		valuesF16Avx2(&acc[h*headDim], &p[h*ldp], ldp, min(attentionHeads, heads-h), headDim, &v[0], keys)
	}
	weighLastColumns(acc, p, ldp, heads, headDim, v, keys, tensor.F16ToF32)
}

func attentionValuesF32Avx2(acc []float32, p []float32, ldp int, heads, headDim int, v []float32, keys int) {
	for h := 0; h < heads && keys > 0; h += attentionHeads {
		valuesF32Avx2(&acc[h*headDim], &p[h*ldp], ldp, min(attentionHeads, heads-h), headDim, &v[0], keys)
	}
	weighLastColumns(acc, p, ldp, heads, headDim, v, keys, same)
}

func same(v float32) float32 { return v }

// scoreLastColumns adds to scores what the columns from headDim &^ 7 on contribute; head sizes in use leave none.
func scoreLastColumns[E uint16 | float32](s []float32, lds int, q []float32, heads, headDim int, k []E, keys int, scale float32, value func(E) float32) {
	if headDim%8 == 0 {
		return
	}
	for h := range heads {
		for j := range keys {
			sum := float32(0)
			for c := headDim &^ 7; c < headDim; c++ {
				sum += q[h*headDim+c] * value(k[j*headDim+c])
			}
			s[h*lds+j] += scale * sum
		}
	}
}

// weighLastColumns does AttentionValues in the columns from headDim &^ 7 on.
func weighLastColumns[E uint16 | float32](acc, p []float32, ldp, heads, headDim int, v []E, keys int, value func(E) float32) {
	for h := range heads {
		for c := headDim &^ 7; c < headDim; c++ {
			for j := range keys {
				acc[h*headDim+c] += p[h*ldp+j] * value(v[j*headDim+c])
			}
		}
	}
}
