package spec_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// A forecaster is asked in every pass, and an observer gets times and reads that add up to the statistics.
func TestForecastAndObservationsInGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := spectest.NewHashModel(3, 30, 300)
		p := &slow{}
		reads := spec.IOStats{}
		o := spec.Options{Target: target, Policy: p, IO: func() spec.IOStats {
			reads.BytesRead += 7
			return reads
		}}
		s := spectest.Generate(t, o, spec.Request{Prompt: []int32{1}, MaxTokens: 20}, nil).Stats
		if s.PredictedPerPass != 1 || math.Abs(s.PassTimeError-0.25) > 1e-9 {
			t.Errorf("stats %+v", s)
		}
		if all := 0.002 * float64(s.Passes); p.passes != s.Passes || math.Abs(p.seconds-all) > 1e-9 || math.Abs(s.Seconds-all) > 1e-9 || p.bytes != int64(7*s.Passes) {
			t.Errorf("observed %d passes of %v s with %d bytes read; stats %+v", p.passes, p.seconds, p.bytes, s)
		}
	})
}

// slow takes two milliseconds to propose nothing, where it expects two and a half, and adds up what it observes.
type slow struct {
	passes  int
	seconds float64
	bytes   int64
}

func (s *slow) Grow(context.Context, []int32, *spec.Tree, *spec.Draft) error {
	time.Sleep(2 * time.Millisecond)
	return nil
}

func (s *slow) Forecast() (accepted, seconds float64) { return 1, 0.0025 }

func (s *slow) Observe(o spec.Observation) {
	s.passes++
	s.seconds += o.DraftSeconds + o.VerifySeconds
	s.bytes += o.IO.BytesRead
}
