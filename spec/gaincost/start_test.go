package gaincost

import (
	"math"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
)

// firstRate returns the tokens per second of the first answer, of so many tokens.
func firstRate(r spectest.WorldResult, tokens int) float64 {
	got, seconds := 0, 0.0
	for _, p := range r.PerPass {
		seconds += p.Seconds
		if got += p.Tokens; got >= tokens {
			break
		}
	}
	return float64(min(got, tokens)) / seconds
}

// The first answer of a policy that knows nothing of the device but what the prompt took is as fast as with the best chain, chosen with hindsight, and
// much faster where reading limits passes.
func TestLeverStartsQuickly(t *testing.T) {
	lengths := [...]int{16, 32, 64}
	for _, c := range []struct {
		name   string
		change func(w *world)
		least  float64 // times the best chain, at 64 tokens
	}{
		{"flash", func(*world) {}, 1.4},
		{"fast draft", func(w *world) { w.draft, w.compute = line(0.005, 0.0005), line(0.15, 0.01) }, 1.5},
		{"unsure draft", func(w *world) { w.Sure = [2]float64{0.1, 0.6} }, 1.6},
		{"in memory", func(w *world) { w.Read, w.compute, w.draft, w.Project = 0, line(0.010, 0.003), line(0.001, 0.0004), 0 }, 0.98},
		{"two cores", func(w *world) { w.Read, w.compute, w.draft = 0.5, line(0.7, 0.12), line(0.09, 0.015) }, 0.98},
	} {
		const seeds = 6
		chains, mine := [4][3]float64{}, [3]float64{} // logarithms of rates
		for seed := range uint64(seeds) {
			w := change(phone(seed), c.change)
			add := func(rates *[3]float64, p spec.Policy) {
				r := w.run(t, p, lengths[2], 64)
				for i, tokens := range lengths {
					rates[i] += math.Log(firstRate(r, tokens)) / seeds
				}
			}
			for i := range chains {
				chain, err := baseline.NewChain(2<<i, 0)
				if err != nil {
					t.Fatal(err)
				}
				add(&chains[i], chain)
			}
			add(&mine, mustLever(t, LeverOptions{}))
		}
		for i, tokens := range lengths {
			best := math.Inf(-1)
			for _, chain := range chains {
				best = max(best, chain[i])
			}
			ratio := math.Exp(mine[i] - best)
			if ratio < 0.98 || tokens == 64 && ratio < c.least {
				t.Errorf("%s, %d tokens: %.2f times the best chain", c.name, tokens, ratio)
			}
			t.Logf("%s, %d tokens: %.2f times the best chain", c.name, tokens, ratio)
		}
	}
}

// A few rows tell little, a prompt that is held already nothing, and what is known stays.
func TestCostModelStart(t *testing.T) {
	prefill := func(rows int) spec.Prefill {
		return spec.Prefill{
			Target: spec.Forwards{Batches: (rows + 63) / 64, Rows: rows, Seconds: 0.1 * float64(rows)}, Draft: spec.Forwards{Batches: (rows + 63) / 64, Rows: rows, Seconds: 0.01 * float64(rows)},
		}
	}
	for rows, tells := range map[int]bool{0: false, 3: false, 40: true, 200: true} {
		m, err := NewCostModel(Costs{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Start(prefill(rows)); got != tells || m.Known() != tells || m.DraftKnown() != tells {
			t.Fatalf("%d rows: %v, known %v", rows, got, m.Known())
		}
		if !tells {
			continue
		}
		one, more := m.Pass(1, 0, 0), m.Pass(40, 0, 0)
		if !(one > 0.1 && one < 1 && more > 3 && more < 6 && m.Forward(1) < one) {
			t.Errorf("%d rows: a plain pass in %v s, one of 40 rows in %v s, a draft forward in %v s", rows, one, more, m.Forward(1))
		}
		again := prefill(rows)
		again.Target.Seconds *= 9
		if m.Start(again); m.Pass(1, 0, 0) != one {
			t.Errorf("%d rows: a second prefill changed the time of a pass", rows)
		}
	}
}

// Of what a prefill reads, a pass reads as much as it is said to.
func TestCostModelStartReads(t *testing.T) {
	for passBytes, want := range map[int64]float64{0: 4, 1: 0, 3e9: 3, 6e9: 6} {
		m, err := NewCostModel(Costs{PassBytes: passBytes}, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Start(spec.Prefill{Target: spec.Forwards{Batches: 1, Rows: 40, Seconds: 8}, IO: spec.IOStats{BytesRead: 4e9, IOSeconds: 4}})
		if m.read.Mean < 0.99*want || m.read.Mean > 1.01*want+0.01 {
			t.Errorf("passes of %d bytes read for %v s, want %v", passBytes, m.read.Mean, want)
		}
	}
}

// A pass that brings little is compared with a plain one only where those before it brought little, too.
func TestLeverDoubts(t *testing.T) {
	var tree spec.Tree
	tree.Reset(1, 8, 8)
	for token := range int32(8) { // a path
		if _, err := tree.Add(int(token), token, 0.5); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		tokens []int // of passes
		plain  bool  // the next pass
	}{{[]int{6, 1}, false}, {[]int{1}, true}, {[]int{2, 1}, true}, {[]int{6, 1, 1}, false}} {
		l := mustLever(t, LeverOptions{NoLookup: true})
		l.Start(spec.Prefill{Target: spec.Forwards{Batches: 1, Rows: 40, Seconds: 1}, IO: spec.IOStats{BytesRead: 1, IOSeconds: 1, IOWaitSeconds: 0.9}})
		for _, n := range c.tokens {
			path := make([]int, n)
			for i := range path {
				path[i] = i
			}
			l.Observe(spec.Observation{Tree: &tree, Path: path, VerifySeconds: 1, IO: spec.IOStats{BytesRead: 1, IOSeconds: 1, IOWaitSeconds: 0.9}})
		}
		if plain := l.measure == 1; plain != c.plain {
			t.Errorf("passes of %v tokens: a plain one follows: %v", c.tokens, plain)
		}
	}
}

// The rate of an earlier text does not hold back trees in the next one for long.
func TestRateOfEarlierTexts(t *testing.T) {
	l, err := NewLever(LeverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.tokens, l.seconds = 500, 50 // 10 tokens/s
	l.Start(spec.Prefill{})
	if rate := l.rate(0.5); math.Abs(rate-10/1.8) > 1e-9 {
		t.Errorf("rate %v at the start of a text", rate)
	}
}
