package tensor

import (
	"encoding/binary"
	"math"
)

// What a block of 256 elements is encoded to is searched for: the scale of a run of elements is the one of several candidates whose
// weighted square error is least, each improved to the best for the integers it leads to; then the scales are quantised themselves, the
// integers chosen again for what the scales have become, and the scale of the block fitted to these.

// errorWeights writes how much the square of the error of each element of x counts: its importance (1 if importance is nil) times
// √(σ²+x²), σ² being the mean square of x. An importance counts as at least a thousandth of the mean, so that no element is given up.
func errorWeights(w, x, importance []float32) {
	square, total := float32(0), float32(0)
	for _, v := range x {
		square += v * v
	}
	for _, v := range importance {
		total += v
	}
	square /= float32(len(x))
	floor := total / float32(len(x)) / 1000
	for i, v := range x {
		w[i] = float32(math.Sqrt(float64(square + v*v)))
		if total > 0 {
			w[i] *= max(importance[i], floor)
		}
	}
}

// scaleSteps are the candidates around a scale: it is multiplied by 1 + step·scaleStep for step = -scaleSteps … scaleSteps.
const (
	scaleSteps = 8
	scaleStep  = 0.025
)

// levels are values that integers stand for.
type levels struct {
	lowest  int8
	nearest [256]int8  // of 0 … 127, -128 … -1
	quantOf [256]uint8 // of a value, by its bits
}

func newLevels(values ...int8) *levels {
	l := &levels{lowest: values[0]}
	for n := -128; n < 128; n++ {
		best := values[0]
		for _, v := range values {
			if abs(n-int(v)) < abs(n-int(best)) {
				best = v
			}
		}
		l.nearest[uint8(n)] = best
	}
	for q, v := range values {
		l.quantOf[uint8(v)] = uint8(q)
	}
	return l
}

func abs(n int) int { return max(n, -n) }

// of returns the value nearest to x.
func (l *levels) of(x float32) int8 {
	return l.nearest[uint8(int8(math.RoundToEven(float64(min(max(x, -128), 127)))))]
}

// index returns the integer that stands for a value.
func (l *levels) index(value int8) uint8 { return l.quantOf[uint8(value)] }

// fitter encodes a block. It may be used for one after the other.
type fitter interface {
	// fit chooses scales for x and what integers stand for it. Of importance, which may be nil, it takes how much each element counts.
	fit(x, importance []float32) error
	// group is the number of elements whose integers depend on each other.
	group() int
	// run is the number of elements that have a scale of their own.
	run() int
	// nudge changes the scale of the run that begins with the element first by so many steps. It reports false, and does nothing, if there is no such scale.
	nudge(first, steps int) bool
	// round chooses the integers of a group, the elements from first on, anew for x and the scales that fit chose, and writes to dst what they stand for.
	// importance is how much each of them counts.
	round(dst []float32, first int, x, importance []float32)
	// put stores the block.
	put(dst []byte)
}

// runs is a block whose elements are d·scale·value, with a scale for each run of elements.
type runs struct {
	size   int // of a run
	limit  int // scales are -limit … limit-1
	levels *levels

	d      float32 // as F16 holds it
	scales [16]int
	values [superBlock]int8
}

func (r *runs) group() int { return 1 }

func (r *runs) run() int { return r.size }

func (r *runs) nudge(first, steps int) bool {
	s := &r.scales[first/r.size]
	if *s+steps < -r.limit || *s+steps >= r.limit {
		return false
	}
	*s += steps
	return true
}

func (r *runs) round(dst []float32, first int, x, _ []float32) {
	roundTo(dst, r.values[first:], x, r.d*float32(r.scales[first/r.size]), r.levels)
}

// roundTo chooses the values nearest to x/scale, and writes to dst what they stand for.
func roundTo(dst []float32, values []int8, x []float32, scale float32, l *levels) {
	for i, v := range x {
		values[i] = 0
		if scale != 0 {
			values[i] = l.of(v / scale)
		}
		dst[i] = scale * float32(values[i])
	}
}

func (r *runs) fit(x, importance []float32) error {
	size, l, limit := r.size, r.levels, r.limit
	r.d, r.scales, r.values = 0, [16]int{}, [superBlock]int8{}
	var weights [superBlock]float32
	errorWeights(weights[:], x, importance)
	var scales [16]float32
	for j := range superBlock / size {
		scales[j] = fitScale(x[j*size:][:size], weights[j*size:][:size], l)
	}
	largest := extremeOf(scales[:])
	d, err := roundScale(largest / float32(-limit))
	if d == 0 || err != nil {
		return err
	}
	var product, square float64
	for j := range superBlock / size {
		r.scales[j] = min(int(math.RoundToEven(float64(scales[j]/d))), limit-1)
		r.scales[j] = max(r.scales[j], -limit)
		inverse := float32(0)
		if r.scales[j] != 0 {
			inverse = 1 / (d * float32(r.scales[j]))
		}
		for i := j * size; i < (j+1)*size; i++ {
			r.values[i] = l.of(x[i] * inverse)
			v := float64(r.scales[j]) * float64(r.values[i])
			product += float64(weights[i]) * float64(x[i]) * v
			square += float64(weights[i]) * v * v
		}
	}
	r.d = refined(d, product, square)
	return nil
}

// fitScale returns the scale s for which s·l.of(x/s) has the least weighted square error, among those tried.
func fitScale(x, w []float32, l *levels) float32 {
	extreme := extremeOf(x)
	if extreme == 0 {
		return 0
	}
	best, bestGain := float32(0), float32(0)
	for step := -scaleSteps; step <= scaleSteps; step++ {
		inverse := float32(l.lowest) * (1 + float32(step)*scaleStep) / extreme
		if inverse-inverse != 0 {
			return 0
		}
		var product, square float32
		for i, v := range x {
			q := float32(l.of(v * inverse))
			product += w[i] * v * q
			square += w[i] * q * q
		}
		if gain := product * product / square; square > 0 && gain > bestGain {
			best, bestGain = product/square, gain
		}
	}
	return best
}

// roundScale returns d as F16 holds it.
func roundScale(d float32) (float32, error) {
	h := F32ToF16(d)
	if h&0x7C00 == 0x7C00 {
		return 0, ErrNotFinite
	}
	return F16ToF32(h), nil
}

// refined returns the F16 scale that is best for integers whose weighted products with the elements, and with themselves, have these
// sums; it is d where that is none.
func refined(d float32, product, square float64) float32 {
	better, err := roundScale(float32(product / square))
	if err != nil || better == 0 || better-better != 0 {
		return d
	}
	return better
}

// putF16 stores a scale that F16 holds.
func putF16(dst []byte, d float32) { binary.LittleEndian.PutUint16(dst, F32ToF16(d)) }
