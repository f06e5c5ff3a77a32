package report

import (
	"math"
	"testing"

	"gonum.org/v1/plot/vg"
)

// Lines of a hatching stay within their rectangle, and reach its edges.
func TestHatch(t *testing.T) {
	r := vg.Rectangle{Min: vg.Point{X: 3, Y: -7}, Max: vg.Point{X: 21, Y: 30}}
	onEdge := func(p vg.Point) bool {
		near := func(a, b vg.Length) bool { return math.Abs(float64(a-b)) < 1e-6 }
		inside := p.X > r.Min.X-1e-6 && p.X < r.Max.X+1e-6 && p.Y > r.Min.Y-1e-6 && p.Y < r.Max.Y+1e-6
		return inside && (near(p.X, r.Min.X) || near(p.X, r.Max.X) || near(p.Y, r.Min.Y) || near(p.Y, r.Max.Y))
	}
	for degrees, want := range map[int]int{0: 9, 90: 4, 45: 10, 135: 10} {
		lines := 0
		hatch(r, degrees, func(from, to vg.Point) {
			lines++
			if !onEdge(from) || !onEdge(to) {
				t.Errorf("%d degrees: a line from %v to %v in %v", degrees, from, to, r)
			}
		})
		if lines < want-1 || lines > want+1 {
			t.Errorf("%d degrees: %d lines, want about %d", degrees, lines, want)
		}
	}
}
