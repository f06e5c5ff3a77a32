package spec

import (
	"context"
	"math"
	"testing"
	"time"
)

// oracle predicts what it is told to.
type oracle struct {
	None
	accepted, seconds float64
}

func (o *oracle) Predicted() (accepted, seconds float64) { return o.accepted, o.seconds }

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

// A forecaster is asked in every pass, and an observer gets times and reads that add up to the statistics.
func TestForecastAndObservationsInGeneration(t *testing.T) {
	target := newHashModel(3, 30, 300)
	p := &slow{oracle: oracle{accepted: 1, seconds: 0.002}}
	reads := IOStats{}
	o := Options{Target: target, Policy: p, IO: func() IOStats {
		reads.BytesRead += 7
		return reads
	}}
	s := generate(t, o, Request{Prompt: []int32{1}, MaxTokens: 20}, nil).Stats
	if s.PredictedPerPass != 1 || s.PassTimeError <= 0 || s.PassTimeError >= 1 {
		t.Errorf("stats %+v", s)
	}
	if p.passes != s.Passes || p.seconds > s.Seconds || p.seconds < 0.002*float64(s.Passes) || p.bytes != int64(7*s.Passes) {
		t.Errorf("observed %d passes of %v s with %d bytes read; stats %+v", p.passes, p.seconds, p.bytes, s)
	}
}

// slow takes two milliseconds to propose nothing, and adds up what it observes.
type slow struct {
	oracle
	passes  int
	seconds float64
	bytes   int64
}

func (s *slow) Grow(context.Context, []int32, *Tree, *Draft) error {
	time.Sleep(2 * time.Millisecond)
	return nil
}

func (s *slow) Observe(o Observation) {
	s.passes++
	s.seconds += o.DraftSeconds + o.VerifySeconds
	s.bytes += o.IO.BytesRead
}
