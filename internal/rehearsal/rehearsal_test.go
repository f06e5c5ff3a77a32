package rehearsal

import (
	"math"
	"slices"
	"testing"
)

func TestSurestPath(t *testing.T) {
	parents := []int32{-1, 0, 0, 1, 2, 2, 5}
	chances := []float64{1, 0.5, 0.4, 0.45, 0.1, 0.3, 0.2}
	if got, want := surest(parents, chances), []bool{true, true, false, true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := surest([]int32{-1}, []float64{1}); !slices.Equal(got, []bool{true}) {
		t.Errorf("a root alone: %v", got)
	}
}

func TestSavedAt(t *testing.T) {
	c := Curve{Points: []Point{{Recall: 1, Saved: 0}, {Recall: 0.98, Saved: 0.2}, {Recall: 0.9, Saved: 0.6}}}
	for recall, want := range map[float64]float64{1: 0, 0.99: 0.1, 0.98: 0.2, 0.94: 0.4, 0.5: 0.6} {
		if got := c.SavedAt(recall); math.Abs(got-want) > 1e-9 {
			t.Errorf("at a recall of %v: %v saved, want %v", recall, got, want)
		}
	}
}
