package arm64

import "github.com/lever-go/lever/tensor"

// element is what a KV cache holds.
type element interface{ uint16 | float32 }

// headGroups are the numbers of heads for which there are kernels.
var headGroups = [...]int{4, 2, 1}

func attentionScoresF16Neon(s []float32, lds int, q []float32, heads, headDim int, k []uint16, keys int, scale float32) {
	scores(s, lds, q, heads, headDim, k, keys, scale, tensor.F16ToF32)
}

func attentionScoresF32Neon(s []float32, lds int, q []float32, heads, headDim int, k []float32, keys int, scale float32) {
	scores(s, lds, q, heads, headDim, k, keys, scale, identity)
}

func attentionValuesF16Neon(acc []float32, p []float32, ldp int, heads, headDim int, v []uint16, keys int) {
	values(acc, p, ldp, heads, headDim, v, keys, tensor.F16ToF32)
}

func attentionValuesF32Neon(acc []float32, p []float32, ldp int, heads, headDim int, v []float32, keys int) {
	values(acc, p, ldp, heads, headDim, v, keys, identity)
}

func identity(x float32) float32 { return x }

func scores[E element](s []float32, lds int, q []float32, heads, headDim int, k []E, keys int, scale float32,
	float func(E) float32) {
	if keys == 0 {
		return
	}
	if headDim < 4 {
		for h := range heads {
			clear(s[h*lds : h*lds+keys])
		}
	} else {
		h := 0
		for _, group := range headGroups {
			for ; h+group <= heads; h += group {
				fours := keys / 4
				if fours > 0 {
					scoreKeys(group, &s[h*lds], lds, &q[h*headDim], headDim, &k[0], headDim, fours, scale)
				}
				// A key that remains takes all four places.
				for j := 4 * fours; j < keys; j++ {
					var four [16]float32
					scoreKeys(group, &four[0], 4, &q[h*headDim], headDim, &k[j*headDim], 0, 1, scale)
					for i := range group {
						s[(h+i)*lds+j] = four[4*i]
					}
				}
			}
		}
	}
	for c := headDim &^ 3; c < headDim; c++ {
		for h := range heads {
			for j := range keys {
				s[h*lds+j] += scale * (q[h*headDim+c] * float(k[j*headDim+c]))
			}
		}
	}
}

func values[E element](acc, p []float32, ldp int, heads, headDim int, v []E, keys int, float func(E) float32) {
	if keys == 0 {
		return
	}
	if headDim >= 16 {
		h := 0
		for _, group := range headGroups {
			for ; h+group <= heads; h += group {
				addValues(group, &acc[h*headDim], &p[h*ldp], ldp, headDim, &v[0], keys)
			}
		}
	}
	for c := headDim &^ 15; c < headDim; c++ {
		for h := range heads {
			sum := acc[h*headDim+c]
			for j := range keys {
				sum += float32(p[h*ldp+j] * float(v[j*headDim+c]))
			}
			acc[h*headDim+c] = sum
		}
	}
}

// scoreKeys computes the scores of 4·fours keys for heads heads, without the last headDim%4 columns; keys lie keyStride
// elements apart.
func scoreKeys[E element](heads int, s *float32, lds int, q *float32, headDim int, k *E, keyStride, fours int, scale float32) {
	switch k := any(k).(type) {
	case *uint16:
		switch heads {
		case 4:
			scoresF16x4Neon(s, lds, q, headDim, k, keyStride, fours, scale)
		case 2:
			scoresF16x2Neon(s, lds, q, headDim, k, keyStride, fours, scale)
		case 1:
			scoresF16x1Neon(s, lds, q, headDim, k, keyStride, fours, scale)
		}
	case *float32:
		switch heads {
		case 4:
			scoresF32x4Neon(s, lds, q, headDim, k, keyStride, fours, scale)
		case 2:
			scoresF32x2Neon(s, lds, q, headDim, k, keyStride, fours, scale)
		case 1:
			scoresF32x1Neon(s, lds, q, headDim, k, keyStride, fours, scale)
		}
	}
}

// addValues adds the weighted values of keys keys for heads heads, without the last headDim%16 columns.
func addValues[E element](heads int, acc, p *float32, ldp, headDim int, v *E, keys int) {
	switch v := any(v).(type) {
	case *uint16:
		switch heads {
		case 4:
			valuesF16x4Neon(acc, p, ldp, headDim, v, keys)
		case 2:
			valuesF16x2Neon(acc, p, ldp, headDim, v, keys)
		case 1:
			valuesF16x1Neon(acc, p, ldp, headDim, v, keys)
		}
	case *float32:
		switch heads {
		case 4:
			valuesF32x4Neon(acc, p, ldp, headDim, v, keys)
		case 2:
			valuesF32x2Neon(acc, p, ldp, headDim, v, keys)
		case 1:
			valuesF32x1Neon(acc, p, ldp, headDim, v, keys)
		}
	}
}

//go:noescape
func scoresF16x4Neon(s *float32, lds int, q *float32, headDim int, k *uint16, keyStride, fours int, scale float32)

//go:noescape
func scoresF16x2Neon(s *float32, lds int, q *float32, headDim int, k *uint16, keyStride, fours int, scale float32)

//go:noescape
func scoresF16x1Neon(s *float32, lds int, q *float32, headDim int, k *uint16, keyStride, fours int, scale float32)

//go:noescape
func valuesF16x4Neon(acc, p *float32, ldp, headDim int, v *uint16, keys int)

//go:noescape
func valuesF16x2Neon(acc, p *float32, ldp, headDim int, v *uint16, keys int)

//go:noescape
func valuesF16x1Neon(acc, p *float32, ldp, headDim int, v *uint16, keys int)

//go:noescape
func scoresF32x4Neon(s *float32, lds int, q *float32, headDim int, k *float32, keyStride, fours int, scale float32)

//go:noescape
func scoresF32x2Neon(s *float32, lds int, q *float32, headDim int, k *float32, keyStride, fours int, scale float32)

//go:noescape
func scoresF32x1Neon(s *float32, lds int, q *float32, headDim int, k *float32, keyStride, fours int, scale float32)

//go:noescape
func valuesF32x4Neon(acc, p *float32, ldp, headDim int, v *float32, keys int)

//go:noescape
func valuesF32x2Neon(acc, p *float32, ldp, headDim int, v *float32, keys int)

//go:noescape
func valuesF32x1Neon(acc, p *float32, ldp, headDim int, v *float32, keys int)
