package growth

import (
	"math"
	"testing"

	"github.com/lever-go/lever/bench/report"
)

func TestLaw(t *testing.T) {
	got := law(report.Series{X: []float64{1, 2, 4, 64}, Y: []float64{12, 14, 18, 138}}, "ms", "row")
	if got.Name != "law: 10 ms + 2 ms a row" || !got.Dashed {
		t.Errorf("%+v", got)
	}
	for i, want := range []float64{12, 14, 18, 138} {
		if math.Abs(got.Y[i]-want) > 1e-6 {
			t.Errorf("%v at %v, want %v", got.Y[i], got.X[i], want)
		}
	}
	if one := law(report.Series{X: []float64{5}, Y: []float64{7}}, "ms", "MB"); len(one.Y) != 1 || math.Abs(one.Y[0]-7) > 1e-9 {
		t.Errorf("of one point: %+v", one)
	}
}
