package layers

import "math"

// Rope describes the rotary position embedding (Su et al., arXiv 2104.09864). The zero Scaling is plain RoPE.
type Rope struct {
	Theta   float64 // base of the frequencies
	Scaling RopeScaling

	Factor          float64 // divisor of the frequencies for RopeLinear, of the low ones for RopeLlama3 and RopeYaRN
	OriginalContext int     // positions before the model was extended; not for RopeLinear and RopeFactors

	LowFreqFactor  float64 // for RopeLlama3: wavelengths above OriginalContext/LowFreqFactor are divided in full
	HighFreqFactor float64 // for RopeLlama3: wavelengths below OriginalContext/HighFreqFactor are left alone

	BetaFast float64 // for RopeYaRN: frequencies that turn more often than this in OriginalContext positions are left alone
	BetaSlow float64 // for RopeYaRN: frequencies that turn less often are divided in full
	Exact    bool    // for RopeYaRN: the two borders are not rounded to whole frequencies

	Factors     []float64 // for RopeFactors and RopeLong: one divisor for each frequency
	LongFactors []float64 // for RopeLong: the divisors where a context has more than OriginalContext positions

	AttentionFactor float64 // multiplies rotated queries and keys; 0 means 1
}

// RopeScaling names a way in which frequencies are changed to extend the context.
type RopeScaling string

// Rotary scalings, spelled as rope_type in config.json.
const (
	RopeDefault RopeScaling = "default"
	RopeLinear  RopeScaling = "linear"   // Chen et al., arXiv 2306.15595
	RopeLlama3  RopeScaling = "llama3"   // as Llama 3.1 does
	RopeYaRN    RopeScaling = "yarn"     // Peng et al., arXiv 2309.00071, section 3
	RopeLong    RopeScaling = "longrope" // Ding et al., arXiv 2402.13753
	RopeFactors RopeScaling = "factors"  // any divisors
)

// Frequencies returns the angle, in radians, by which each of the dim/2 pairs of the rotated part of a head turns from one position to the next,
// in a context that is no longer than the original one if there is a difference.
func (r Rope) Frequencies(dim int) []float64 {
	freqs := make([]float64, dim/2)
	low, high := r.yarnBorders(dim)
	for i := range freqs {
		f := math.Pow(r.Theta, -2*float64(i)/float64(dim))
		switch r.Scaling {
		case RopeLinear:
			f /= r.Factor
		case RopeLlama3:
			f = r.llama3(f)
		case RopeYaRN:
			divided := min(max((float64(i)-low)/(high-low), 0), 1)
			f = divided*f/r.Factor + (1-divided)*f
		case RopeFactors, RopeLong:
			f /= r.Factors[i]
		}
		freqs[i] = f
	}
	return freqs
}

// Rotary returns what turns the first dim elements of each head, in a context of so many positions.
func (r Rope) Rotary(dim, context int) *Rotary {
	if r.Scaling == RopeLong && context > r.OriginalContext {
		r.Factors = r.LongFactors
	}
	if r.AttentionFactor == 0 {
		r.AttentionFactor = 1
	}
	return NewScaledRotary(r.Frequencies(dim), r.AttentionFactor)
}

// llama3 scales one frequency by how many times its wave fits into the original context: it divides low ones by Factor, leaving high ones alone, and
// going over linearly in between.
func (r Rope) llama3(f float64) float64 {
	turns := float64(r.OriginalContext) * f / (2 * math.Pi)
	keep := (turns - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
	keep = min(max(keep, 0), 1)
	return keep*f + (1-keep)*f/r.Factor
}

// yarnBorders returns the indexes of the frequencies up to which none is divided, and from which on all are, in full.
func (r Rope) yarnBorders(dim int) (low, high float64) {
	if r.Scaling != RopeYaRN {
		return 0, 1
	}
	index := func(turns float64) float64 {
		return float64(dim) * math.Log(float64(r.OriginalContext)/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high = index(r.BetaFast), index(r.BetaSlow)
	if !r.Exact {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dim-1))
	if high-low < 0.001 {
		high = low + 0.001 // the border is a step
	}
	return low, high
}
