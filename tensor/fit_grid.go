package tensor

import (
	"math"
	"slices"
	"sync"

	"github.com/lever-go/lever/internal/quants"
)

// A grid is the magnitudes of four elements that quants stand for, arranged to find the best quant for given magnitudes.
type grid struct {
	levels     quants.Levels
	magnitudes []uint32
	// near holds, for the nearest levels of four elements (a digit of three bits each, the first one lowest), the quants whose magnitudes
	// are nearest to these.
	near [1 << 12][gridNear]uint16
}

const gridNear = 6

var (
	gridIQ3_XXS = sync.OnceValue(func() *grid { return newGrid(quants.IQ3XXSLevels, quants.IQ3XXS[:]) })
	gridIQ3_S   = sync.OnceValue(func() *grid { return newGrid(quants.IQ3SLevels, quants.IQ3S[:]) })
)

func newGrid(levels quants.Levels, magnitudes []uint32) *grid {
	g := &grid{levels: levels, magnitudes: magnitudes}
	for digits := range g.near {
		var distances [gridNear]int
		for q, m := range magnitudes {
			distance := 0
			for e := range 4 {
				off := int(levels[digits>>(3*e)&7]) - int(m>>(8*e)&255)
				distance += off * off
			}
			i := min(q, gridNear) // quants so far
			for ; i > 0 && distance < distances[i-1]; i-- {
				if i < gridNear {
					distances[i], g.near[digits][i] = distances[i-1], g.near[digits][i-1]
				}
			}
			if i < gridNear {
				distances[i], g.near[digits][i] = distance, uint16(q)
			}
		}
	}
	return g
}

// digit returns the index of the level nearest to x. Levels are about evenly spaced.
func (g *grid) digit(x float32) int {
	first, step := float32(g.levels[0]), float32(g.levels[1]-g.levels[0])
	return int(min(max((x-first)/step+0.5, 0), 7))
}

// quant returns the quant whose magnitudes have the least weighted square error from x[0:4].
func (g *grid) quant(x *[4]float32, w []float32) uint16 {
	digits := 0
	for e, v := range x {
		digits |= g.digit(v) << (3 * e)
	}
	best, least := uint16(0), float32(math.Inf(1))
	for _, q := range g.near[digits] {
		m, miss := g.magnitudes[q], float32(0)
		for e, v := range x {
			off := v - float32(m>>(8*e)&255)
			miss += w[e] * off * off
		}
		if miss < least {
			best, least = q, miss
		}
	}
	return best
}

// gridRuns is a block whose elements are unit·(1+2·scale)·magnitude with a sign, with a scale for each 32 elements.
type gridRuns struct {
	grid *grid
	even bool // the number of negative elements of each eight is even

	unit   float32 // as F16 holds it
	scales [superBlock / 32]uint8
	signs  [superBlock / 8]uint8 // a bit each, set where the element is negative
	quants [superBlock / 4]uint16
}

func (r *gridRuns) group() int { return 8 }

func (r *gridRuns) run() int { return 32 }

func (r *gridRuns) nudge(first, steps int) bool { return nudge(&r.scales[first/32], steps, 15) }

func (r *gridRuns) round(dst []float32, first int, x, importance []float32) {
	var size [8]float32
	signs := takeSigns(size[:], x, importance, r.even)
	r.signs[first/8] = signs
	scale := r.unit * float32(1+2*int(r.scales[first/32]))
	inverse := float32(0)
	if scale != 0 {
		inverse = 1 / scale
	}
	for i := 0; i < 8; i += 4 {
		four := scaled(size[i:], inverse)
		q := r.grid.quant(&four, importance[i:])
		r.quants[(first+i)/4] = q
		decodeFour(dst[i:i+4], scale, r.grid.magnitudes[q], signs>>i)
	}
}

func (r *gridRuns) fit(x, importance []float32) error {
	g, even := r.grid, r.even
	r.unit, r.scales, r.quants = 0, [superBlock / 32]uint8{}, [superBlock / 4]uint16{}
	var weights, size [superBlock]float32
	errorWeights(weights[:], x, importance)
	for i := range r.signs {
		r.signs[i] = takeSigns(size[8*i:][:8], x[8*i:][:8], weights[8*i:][:8], even)
	}
	var scales [superBlock / 32]float32
	largest := float32(0)
	for j := range scales {
		scales[j] = g.fitScale(size[32*j:][:32], weights[32*j:][:32])
		largest = max(largest, scales[j])
	}
	unit, err := roundScale(largest / 31)
	if unit == 0 || err != nil {
		return err
	}
	var product, square float64
	for j, scale := range scales {
		s := min(max(math.RoundToEven(float64(scale/unit-1)/2), 0), 15)
		r.scales[j] = uint8(s)
		factor := 1 + 2*float32(s)
		for i := 32 * j; i < 32*(j+1); i += 4 {
			four := scaled(size[i:], 1/(unit*factor))
			r.quants[i/4] = g.quant(&four, weights[i:])
			m := g.magnitudes[r.quants[i/4]]
			for e := range 4 {
				v := float64(factor) * float64(m>>(8*e)&255)
				product += float64(weights[i+e]) * float64(size[i+e]) * v
				square += float64(weights[i+e]) * v * v
			}
		}
	}
	r.unit = refined(unit, product, square)
	return nil
}

// takeSigns writes what the magnitudes of eight elements should be, and returns their signs. If an even number of these are to be
// negative, the element that matters least has the wrong one, and its magnitude should be below zero.
func takeSigns(size, x, w []float32, even bool) (signs uint8) {
	least, count := 0, 0
	for e, v := range x {
		size[e] = v
		if v < 0 {
			size[e] = -v
			signs |= 1 << e
			count++
		}
		if w[e]*v*v < w[least]*x[least]*x[least] {
			least = e
		}
	}
	if even && count%2 != 0 {
		size[least] = -size[least]
		signs ^= 1 << least
	}
	return signs
}

// fitScale returns the scale, not below zero, of least weighted square error for elements of these magnitudes, among those tried.
func (g *grid) fitScale(size, w []float32) float32 {
	largest := slices.Max(size)
	if largest <= 0 {
		return 0
	}
	best, bestGain := float32(0), float32(0)
	for step := -scaleSteps; step <= scaleSteps; step++ {
		inverse := float32(g.levels[7]) * (1 + float32(step)*scaleStep) / largest
		if inverse-inverse != 0 {
			return 0
		}
		var product, square float32
		for i := 0; i < len(size); i += 4 {
			four := scaled(size[i:], inverse)
			m := g.magnitudes[g.quant(&four, w[i:])]
			for e := range 4 {
				v := float32(m >> (8 * e) & 255)
				product += w[i+e] * size[i+e] * v
				square += w[i+e] * v * v
			}
		}
		if gain := product * product / square; square > 0 && product > 0 && gain > bestGain {
			best, bestGain = product/square, gain
		}
	}
	return best
}

// scaled returns the first four elements of x times factor.
func scaled(x []float32, factor float32) (four [4]float32) {
	for e := range four {
		four[e] = x[e] * factor
	}
	return four
}
