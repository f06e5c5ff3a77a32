package layers

import (
	"math"

	"github.com/lever-go/lever/kernels"
)

// Frequencies returns the angle, in radians, by which each of the headDim/2 pairs of a head turns from one position to the next.
//
// Pair i of plain RoPE (Su et al., RoFormer, arXiv 2104.09864) turns by Theta^(−2i/headDim). Llama 3.1 extends the context by
// dividing low frequencies by Factor, leaving high ones alone, and going over linearly in between.
func (r Rope) Frequencies(headDim int) []float64 {
	freqs := make([]float64, headDim/2)
	for i := range freqs {
		f := math.Pow(r.Theta, -2*float64(i)/float64(headDim))
		switch r.Scaling {
		case RopeLlama3:
			f = r.llama3(f)
		case RopeFactors:
			f /= r.Factors[i]
		}
		freqs[i] = f
	}
	return freqs
}

// llama3 scales one frequency by how many times its wave fits into the original context.
func (r Rope) llama3(f float64) float64 {
	turns := float64(r.OriginalContext) * f / (2 * math.Pi)
	keep := (turns - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
	keep = min(max(keep, 0), 1)
	return keep*f + (1-keep)*f/r.Factor
}

// rotaryPage is the number of positions by which the tables of a Rotary grow.
const rotaryPage = 256

// Rotary turns the heads of queries and keys by their position. Its tables are computed in float64, rounded to float32, and grow
// with the positions in use. All blocks of a model share one Rotary. After Grow, Apply is safe for concurrent use.
type Rotary struct {
	headDim int
	freqs   []float64   // [headDim/2]
	pages   [][]float32 // [page][rotaryPage][cos headDim/2, sin headDim/2]
}

// NewRotary returns a Rotary for heads of 2·len(freqs) elements; see [Rope.Frequencies].
func NewRotary(freqs []float64) *Rotary {
	return &Rotary{headDim: 2 * len(freqs), freqs: freqs}
}

// Grow makes positions below n ready for Apply.
func (r *Rotary) Grow(n int) {
	for len(r.pages)*rotaryPage < n {
		first := len(r.pages) * rotaryPage
		page := make([]float32, rotaryPage*r.headDim)
		for p := range rotaryPage {
			cos := page[p*r.headDim:][:len(r.freqs)]
			sin := page[p*r.headDim+len(r.freqs):][:len(r.freqs)]
			for i, f := range r.freqs {
				s, c := math.Sincos(float64(first+p) * f)
				cos[i], sin[i] = float32(c), float32(s)
			}
		}
		r.pages = append(r.pages, page)
	}
}

// Apply turns x in place with a kernel set, heads [heads][headDim] of one row at the given position, which Grow has made ready. Element i pairs
// with element i+headDim/2, the order of Hugging Face checkpoints.
func (r *Rotary) Apply(set *kernels.Set, x []float32, heads, position int) {
	table := r.pages[position/rotaryPage][position%rotaryPage*r.headDim:][:r.headDim]
	half := len(r.freqs)
	set.RoPE(x, table[:half], table[half:], heads, r.headDim, kernels.PairHalves)
}
