package layers

import (
	"math/rand/v2"
	"testing"
)

// Rows take turns where passes with turns are faster, on a machine whose speed changes all the time, and find out when that has changed.
func TestRowsTakeTurnsWhereThatIsFaster(t *testing.T) {
	for _, turnsCost := range []float64{0.8, 1.25} {
		random := rand.New(rand.NewPCG(1, 2))
		var a alternation
		machine, better := 1.0, [2]int{}
		const change, passes = 1000, 2000
		for pass := range passes {
			turns, cost := a.next(), machine*(0.9+0.2*random.Float64())
			faster := turnsCost < 1
			if pass >= change {
				faster = !faster
			}
			if turns == faster {
				better[pass/change]++
			}
			if turns && pass < change {
				cost *= turnsCost
			} else if turns {
				cost /= turnsCost
			}
			a.took(turns, cost)
			machine = min(max(machine*(0.95+0.1*random.Float64()), 0.5), 2)
		}
		if least := [2]int{900, 800}; better[0] < least[0] || better[1] < least[1] {
			t.Errorf("where turns take %v times as long, then %v times, %d and %d of %d passes were of the faster kind", turnsCost, 1/turnsCost, better[0], better[1], change)
		}
	}
}
