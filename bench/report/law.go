package report

import (
	"fmt"
	"math"
	"strconv"
)

// Law returns the law that a curve follows, a fixed cost and a cost for each unit: the straight line with the least relative squares, so that small
// and large values count alike. Its values are 0 or more.
func Law(curve Series, y, x string) Series {
	// With weights 1/y², the sums of the normal equations of y = fixed + each·x.
	var w, wx, wxx, wy, wxy float64
	for i, at := range curve.X {
		weight := 1 / (curve.Y[i] * curve.Y[i])
		w, wx, wxx = w+weight, wx+weight*at, wxx+weight*at*at
		wy, wxy = wy+weight*curve.Y[i], wxy+weight*at*curve.Y[i]
	}
	fixed, each := wy/w, 0.0
	if d := w*wxx - wx*wx; d > 1e-12*w*wxx {
		each = (w*wxy - wx*wy) / d
		fixed = (wy - each*wx) / w
	}
	line := Series{Name: fmt.Sprintf("law: %s %s + %s %s for each %s", digits(fixed), y, digits(each), y, x), X: curve.X, Dashed: true}
	for _, at := range curve.X {
		line.Y = append(line.Y, math.Max(0, fixed+each*at))
	}
	return line
}

// digits writes three digits of a number that count, and all before the point.
func digits(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
