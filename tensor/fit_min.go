package tensor

import "math"

// shiftedRuns is a block whose elements are d·scale·q − dmin·min, with a scale and a minimum of six bits for each run of 32.
type shiftedRuns struct {
	limit int // integers are 0 … limit

	d, dmin      float32 // as F16 holds them
	scales, mins [superBlock / 32]uint8
	q            [superBlock]uint8
}

func (r *shiftedRuns) group() int { return 1 }

func (r *shiftedRuns) run() int { return 32 }

func (r *shiftedRuns) nudge(first, steps int) bool { return nudge(&r.scales[first/32], steps, 63) }

// nudge changes a scale of 0 … limit.
func nudge(scale *uint8, steps, limit int) bool {
	s := int(*scale) + steps
	if s < 0 || s > limit {
		return false
	}
	*scale = uint8(s)
	return true
}

func (r *shiftedRuns) round(dst []float32, first int, x, _ []float32) {
	scale, shift := r.d*float32(r.scales[first/32]), r.dmin*float32(r.mins[first/32])
	for i, v := range x {
		q := nearestMultiple(v+shift, scale, r.limit)
		r.q[first+i], dst[i] = q, scale*float32(q)-shift
	}
}

func (r *shiftedRuns) fit(x, importance []float32) (err error) {
	const size, sixBits = 32, 63
	var weights [superBlock]float32
	errorWeights(weights[:], x, importance)
	var scales, mins [superBlock / size]float32
	for j := range scales {
		scales[j], mins[j] = fitShifted(x[j*size:][:size], weights[j*size:][:size], r.limit)
	}
	if r.d, err = roundScale(extremeOf(scales[:]) / sixBits); err != nil {
		return err
	}
	if r.dmin, err = roundScale(extremeOf(mins[:]) / sixBits); err != nil {
		return err
	}
	for j := range scales {
		r.scales[j], r.mins[j] = nearestMultiple(scales[j], r.d, sixBits), nearestMultiple(mins[j], r.dmin, sixBits)
		var rounded [size]float32
		r.round(rounded[:], j*size, x[j*size:][:size], nil)
	}
	return nil
}

// nearestMultiple returns the number from 0 to limit whose product with unit is nearest to x; 0 if unit is 0.
func nearestMultiple(x, unit float32, limit int) uint8 {
	if unit == 0 {
		return 0
	}
	return uint8(min(max(math.RoundToEven(float64(x/unit)), 0), float64(limit)))
}

// fitShifted returns the scale and the minimum, both at least 0, for which scale·q − minimum with integers q of 0 … limit has the least weighted
// square error, among those tried: ranges a little smaller and larger than that of the elements, each improved to the best for the integers it leads to.
func fitShifted(x, w []float32, limit int) (scale, minimum float32) {
	lowest, highest := float32(0), x[0] // a minimum is not negative
	for _, v := range x {
		lowest, highest = min(lowest, v), max(highest, v)
	}
	if !(highest > lowest) {
		return 0, -lowest
	}
	least := math.Inf(1)
	for step := -scaleSteps; step <= scaleSteps; step++ {
		inverse := float32(limit) * (1 + float32(step)*scaleStep/2) / (highest - lowest)
		if inverse-inverse != 0 {
			return 0, -lowest
		}
		s, m, lost := improved(x, w, lowest, inverse, limit)
		if lost < least {
			scale, minimum, least = s, m, lost
		}
	}
	return scale, minimum
}

// improved returns the scale and the minimum that are best for the integers nearest to (x−lowest)·inverse, and their weighted square error.
func improved(x, w []float32, lowest, inverse float32, limit int) (scale, minimum float32, lost float64) {
	var sum, sumQ, sumQQ, sumX, sumQX, sumXX float64
	for i, v := range x {
		q := min(max(math.RoundToEven(float64((v-lowest)*inverse)), 0), float64(limit))
		weight, value := float64(w[i]), float64(v)
		sum, sumQ, sumQQ = sum+weight, sumQ+weight*q, sumQQ+weight*q*q
		sumX, sumQX, sumXX = sumX+weight*value, sumQX+weight*q*value, sumXX+weight*value*value
	}
	s, shift := 1/float64(inverse), float64(lowest)
	if determinant := sum*sumQQ - sumQ*sumQ; determinant > 0 {
		s, shift = (sum*sumQX-sumX*sumQ)/determinant, (sumQQ*sumX-sumQ*sumQX)/determinant
	}
	if shift > 0 && sumQQ > 0 {
		s, shift = sumQX/sumQQ, 0
	}
	s = max(s, 0)
	lost = sumXX + s*s*sumQQ + shift*shift*sum + 2*(s*shift*sumQ-s*sumQX-shift*sumX)
	return float32(s), float32(max(-shift, 0)), lost
}

// putScaleMin is the inverse of scaleMin, where scales are zero.
func putScaleMin(scales []byte, j int, scale, minimum uint8) {
	if j < 4 {
		scales[j] |= scale
		scales[j+4] |= minimum
		return
	}
	scales[j+4] = scale&15 | minimum&15<<4
	scales[j-4] |= scale >> 4 << 6
	scales[j] |= minimum >> 4 << 6
}
