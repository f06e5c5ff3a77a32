package report_test

import (
	"math"
	"testing"

	"github.com/lever-go/lever/bench/report"
)

func TestLaw(t *testing.T) {
	got := report.Law(report.Series{X: []float64{1, 2, 4, 64}, Y: []float64{12, 14, 18, 138}}, "ms", "row")
	if got.Name != "law: 10 ms + 2 ms for each row" || !got.Dashed {
		t.Errorf("%+v", got)
	}
	for i, want := range []float64{12, 14, 18, 138} {
		if math.Abs(got.Y[i]-want) > 1e-6 {
			t.Errorf("%v at %v, want %v", got.Y[i], got.X[i], want)
		}
	}
	if large := report.Law(report.Series{X: []float64{1, 2}, Y: []float64{1300, 1301}}, "ms", "row"); large.Name != "law: 1299 ms + 1 ms for each row" {
		t.Errorf("%+v", large)
	}
	if one := report.Law(report.Series{X: []float64{5}, Y: []float64{7}}, "ms", "MB"); len(one.Y) != 1 || math.Abs(one.Y[0]-7) > 1e-9 {
		t.Errorf("of one point: %+v", one)
	}
}
