package tensor

// feedback is a row that is being rounded, column after column, so that later ones make up for the errors of earlier ones.
type feedback struct {
	row        []float32
	importance *Importance
	errors     []float32 // of the columns so far; nil if none are made up for
	target     [superBlock]float32
}

func newFeedback(row []float32, importance *Importance) *feedback {
	f := &feedback{row: row, importance: importance}
	if importance != nil && importance.factors != nil {
		f.errors = make([]float32, len(row))
	}
	return f
}

// block returns the block of n elements from at on, as scales are to be fitted to it, and the weights of its columns or nil.
func (f *feedback) block(at, n int) (x, weights []float32) {
	x = f.row[at:][:n]
	if f.importance == nil {
		return x, nil
	}
	weights = f.importance.weights[at:][:n]
	if f.errors == nil {
		return x, weights
	}
	for i, v := range x {
		f.target[i] = v + f.owed(at+i, 0, at)
	}
	return f.target[:n], weights
}

// round rounds what block returned.
func (f *feedback) round(by fitter, at int, x, weights []float32) {
	if f.errors == nil {
		return // fit has rounded each element for itself
	}
	size := by.run()
	for first := 0; first < len(x); first += size {
		run, of := x[first:][:size], weights[first:][:size]
		for i := range run {
			run[i] += f.owed(at+first+i, at, at+first)
		}
		best, least := 0, f.roundRun(by, at, first, run, of)
		for _, steps := range nudges {
			if by.nudge(first, steps) {
				if lost := f.roundRun(by, at, first, run, of); lost < least {
					best, least = steps, lost
				}
				by.nudge(first, -steps)
			}
		}
		by.nudge(first, best)
		f.roundRun(by, at, first, run, of)
	}
}

// nudges are the changes of a run's scale that are tried: fit did not know the errors that the run is to make up for.
var nudges = []int{-1, 1, -2, 2}

// roundRun rounds the run of a block that begins with its element first, and returns the weighted square error. x is what is to be rounded but for errors of
// the run itself.
func (f *feedback) roundRun(by fitter, at, first int, x, weights []float32) (lost float32) {
	var target, rounded [smallBlock]float32 // no run is longer
	group, start := by.group(), at+first
	for i := 0; i < len(x); i += group {
		for e := range group {
			target[e] = x[i+e] + f.owed(start+i+e, start, start+i)
		}
		by.round(rounded[:group], first+i, target[:group], weights[i:])
		for e, v := range rounded[:group] {
			c := start + i + e
			f.errors[c] = f.row[c] - v
			miss := target[e] - v + f.owed(c, start+i, c)
			lost += weights[i+e] * miss * miss
		}
	}
	return lost
}

// owed returns what column c makes up for the errors of the columns from first to before last that lie in its piece.
func (f *feedback) owed(c, first, last int) float32 {
	width := f.importance.width
	start := c - c%width
	first = max(first, start)
	if first >= last {
		return 0
	}
	factors := f.importance.factors[c/width*triangle(width)+triangle(c%width):]
	return dot(f.errors[first:last], factors[first-start:])
}

// dot returns the sum of the products of x and the beginning of y.
func dot(x, y []float32) float32 {
	var s0, s1, s2, s3 float32
	y = y[:len(x)]
	for len(x) >= 4 {
		s0, s1, s2, s3 = s0+x[0]*y[0], s1+x[1]*y[1], s2+x[2]*y[2], s3+x[3]*y[3]
		x, y = x[4:], y[4:]
	}
	for i := range x {
		s0 += x[i] * y[i]
	}
	return s0 + s1 + s2 + s3
}
