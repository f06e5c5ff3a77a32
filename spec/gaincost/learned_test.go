package gaincost

import (
	"bytes"
	"testing"
)

// A policy that starts from what another has learned estimates as that one does.
func TestLeverJSON(t *testing.T) {
	w := phone(3)
	w.Right = func(p float64, _ int) float64 { return p / 2 }
	old := mustLever(t, LeverOptions{Costs: w.costs()})
	w.run(t, old, 100, 64)
	data, err := old.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	l := mustLever(t, LeverOptions{Costs: w.costs()})
	if err := l.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	if a, b := old.learned[0].At(0.8, 0, 1), l.learned[0].At(0.8, 0, 1); a != b || a > 0.6 || old.hits != l.hits {
		t.Errorf("%v became %v, hits %v became %v", a, b, old.hits, l.hits)
	}
	again, err := l.MarshalJSON()
	if err != nil || !bytes.Equal(data, again) || len(data) > 1<<20 {
		t.Errorf("%d bytes became %d: %v", len(data), len(again), err)
	}
	// The first trees expect what is accepted.
	expected, tokens := 0.0, 0
	for _, p := range w.run(t, l, 12, 64).PerPass {
		expected, tokens = expected+p.PredictedTokens, tokens+p.Tokens
	}
	if ratio := expected / float64(tokens); ratio < 0.7 || ratio > 1.35 {
		t.Errorf("the first passes were to bring %.2f of the tokens that came", ratio)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"sources":[],"hits":[2,0,0]}`, `{"sources":[],"hits":[0,0,0],"masks":[-1]}`, `{"sources":[],"hits_seen":1e9}`, `{"sources":[{"Weight":-1}]}`} {
		if err := l.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if now, err := l.MarshalJSON(); err != nil || len(now) == 0 {
		t.Error(err)
	}
}
