package spec_test

import (
	"context"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// A forecaster is asked in every pass, and an observer gets times and reads that add up to the statistics.
func TestForecastAndObservationsInGeneration(t *testing.T) {
	target := spectest.NewHashModel(3, 30, 300)
	p := &slow{}
	reads := spec.IOStats{}
	o := spec.Options{Target: target, Policy: p, IO: func() spec.IOStats {
		reads.BytesRead += 7
		return reads
	}}
	s := spectest.Generate(t, o, spec.Request{Prompt: []int32{1}, MaxTokens: 20}, nil).Stats
	if s.PredictedPerPass != 1 || s.PassTimeError <= 0 || s.PassTimeError >= 1 {
		t.Errorf("stats %+v", s)
	}
	if p.passes != s.Passes || p.seconds > s.Seconds || p.seconds < 0.002*float64(s.Passes) || p.bytes != int64(7*s.Passes) {
		t.Errorf("observed %d passes of %v s with %d bytes read; stats %+v", p.passes, p.seconds, p.bytes, s)
	}
}

// slow takes two milliseconds to propose nothing, and adds up what it observes.
type slow struct {
	passes  int
	seconds float64
	bytes   int64
}

func (s *slow) Grow(context.Context, []int32, *spec.Tree, *spec.Draft) error {
	time.Sleep(2 * time.Millisecond)
	return nil
}

func (s *slow) Forecast() (accepted, seconds float64) { return 1, 0.002 }

func (s *slow) Observe(o spec.Observation) {
	s.passes++
	s.seconds += o.DraftSeconds + o.VerifySeconds
	s.bytes += o.IO.BytesRead
}
