package kernels

import "fmt"

// Pairing says which elements of a head a rotary embedding turns together.
type Pairing uint8

const (
	PairHalves   Pairing = iota // (i, i+headDim/2): Hugging Face, GPT-NeoX
	PairAdjacent                // (2i, 2i+1): the original Llama
)

// RoPE rotates heads heads of x [heads][headDim] in place by the angles of one position: pair i, (a, b), becomes
// (a·cos[i] − b·sin[i], b·cos[i] + a·sin[i]). cos and sin are [headDim/2].
func (s *Set) RoPE(x, cos, sin []float32, heads, headDim int, pairing Pairing) {
	if headDim <= 0 || headDim%2 != 0 || heads < 0 || len(x) != heads*headDim || len(cos) != headDim/2 || len(sin) != headDim/2 {
		panic(fmt.Sprintf("kernels: RoPE: %d elements for %d heads of %d, %d cosines and %d sines", len(x), heads, headDim, len(cos), len(sin)))
	}
	switch pairing {
	case PairHalves:
		s.k.RoPEHalves(x, cos, sin, heads, headDim)
	case PairAdjacent:
		s.k.RoPEAdjacent(x, cos, sin, heads, headDim)
	default:
		panic(fmt.Sprintf("kernels: RoPE: unknown pairing %d", pairing))
	}
}
