package layers

import (
	"math"

	"github.com/lever-go/lever/kernels"
)

// rotaryPage is the number of positions by which the tables of a Rotary grow.
const rotaryPage = 256

// Rotary turns the heads of queries and keys by their position. Its tables are computed in float64, rounded to float32, and grow
// with the positions in use. All blocks of a model may share one Rotary. After Grow, Apply is safe for concurrent use.
type Rotary struct {
	freqs  []float64
	factor float64
	pages  [][]float32 // [page][rotaryPage][cos len(freqs), sin len(freqs)]
}

// NewRotary returns a Rotary that turns pairs of elements by the given angles, in radians, from one position to the next; see
// [Rope.Frequencies]. In heads of more than 2·len(freqs) elements the rest is left alone (partial rotary positions).
func NewRotary(freqs []float64) *Rotary { return NewScaledRotary(freqs, 1) }

// NewScaledRotary returns a Rotary as [NewRotary] does that also multiplies what it turns by factor: the attention factor of YaRN (Peng et
// al., arXiv 2309.00071, section 3.4) and LongRoPE.
func NewScaledRotary(freqs []float64, factor float64) *Rotary {
	return &Rotary{freqs: freqs, factor: factor}
}

// width returns the number of elements of a head that are turned.
func (r *Rotary) width() int { return 2 * len(r.freqs) }

// Grow makes positions below n ready for Apply.
func (r *Rotary) Grow(n int) {
	for len(r.pages)*rotaryPage < n {
		first, half := len(r.pages)*rotaryPage, len(r.freqs)
		page := make([]float32, rotaryPage*2*half)
		for p := range rotaryPage {
			cos, sin := page[p*2*half:][:half], page[(p*2+1)*half:][:half]
			for i, f := range r.freqs {
				s, c := math.Sincos(float64(first+p) * f)
				cos[i], sin[i] = float32(r.factor*c), float32(r.factor*s)
			}
		}
		r.pages = append(r.pages, page)
	}
}

// Apply turns x in place with a kernel set, heads [heads][headDim] of one row at the given position, which Grow has made ready. Element i
// pairs with element i+len(freqs), the order of Hugging Face checkpoints.
func (r *Rotary) Apply(set *kernels.Set, x []float32, heads, position int) {
	half := len(r.freqs)
	table := r.pages[position/rotaryPage][position%rotaryPage*2*half:][:2*half]
	headDim := len(x) / heads
	if headDim == 2*half {
		set.RoPE(x, table[:half], table[half:], heads, headDim, kernels.PairHalves)
		return
	}
	for ; len(x) > 0; x = x[headDim:] {
		set.RoPE(x[:2*half], table[:half], table[half:], 1, 2*half, kernels.PairHalves)
	}
}
