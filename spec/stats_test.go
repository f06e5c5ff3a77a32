package spec

import (
	"math"
	"testing"
)

// oracle predicts what it is told to.
type oracle struct {
	None
	accepted, seconds float64
}

func (o *oracle) Forecast() (accepted, seconds float64) { return o.accepted, o.seconds }

func TestForecast(t *testing.T) {
	o := &oracle{}
	var f forecast
	for range 2 { // the second time as if there had been no first
		f.reset(o, 10)
		for _, pass := range []struct{ accepted, predicted, measured float64 }{
			{2, 0, 1}, // not yet told
			{3, 1.1, 1}, {4, 3, 2}, {1, 0.7, 1}, {2, 1, 1},
		} {
			o.accepted, o.seconds = pass.accepted, pass.predicted
			f.compare(pass.measured)
		}
		var s Stats
		f.close(&s)
		if want := (0.1 + 0.3) / 2; s.PredictedPerPass != 2.4 || math.Abs(s.PassTimeError-want) > 1e-9 {
			t.Errorf("predicted %v per pass, median error %v, want %v", s.PredictedPerPass, s.PassTimeError, want)
		}
	}
	f.reset(None{}, 10)
	f.compare(1)
	var s Stats
	if f.close(&s); s != (Stats{}) {
		t.Errorf("a policy that predicts nothing: %+v", s)
	}
}
