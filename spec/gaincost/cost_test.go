package gaincost

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCurve(t *testing.T) {
	points := []Point{{1, 10}, {8, 24}, {16, 40}}
	for _, c := range []struct {
		curve Curve
		want  map[int]float64
	}{
		{Curve{}, map[int]float64{0: 0, 1: 0, 9: 0}},
		{Curve{Points: points}, map[int]float64{0: 0, 1: 10, 2: 12, 8: 24, 12: 32, 16: 40, 24: 56}},
		{Curve{Points: points, Padded: true}, map[int]float64{0: 0, 1: 10, 2: 24, 8: 24, 9: 40, 16: 40, 17: 50, 24: 64, 32: 80, 33: 90}},
		{Curve{Points: []Point{{4, 8}}}, map[int]float64{1: 8, 4: 8, 8: 16}},
		{Curve{Points: []Point{{4, 8}, {8, 6}}}, map[int]float64{6: 7, 8: 6, 80: 6}},
	} {
		for rows, want := range c.want {
			if got := c.curve.At(rows); math.Abs(got-want) > 1e-12 {
				t.Errorf("%+v at %d: %v, want %v", c.curve, rows, got, want)
			}
		}
	}
}

// The moments of a pass of many reads come out right, and so does its upper quantile, though single reads have a tail that
// is nothing like a normal distribution's: one in fifty stalls.
func TestQuantileOfManyReads(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	read := func() float64 {
		if random.IntN(50) == 0 {
			return 20 + 10*random.ExpFloat64()
		}
		return 0.9 + 0.2*random.Float64()
	}
	samples := make([]float64, 100_000)
	for i := range samples {
		samples[i] = read()
	}
	one, err := NewLatency(samples)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{50, 200, 1000} {
		sums := make([]float64, 20_000)
		for i := range sums {
			for range n {
				sums[i] += read()
			}
		}
		slices.Sort(sums)
		pass := one.Times(float64(n))
		for _, q := range []float64{0.5, 0.8, 0.9, 0.95, 0.99} {
			got, want := pass.Quantile(q), sums[int(q*float64(len(sums)))]
			if math.Abs(got/want-1) > 0.05 {
				t.Errorf("%d reads, quantile %v: %.1f, measured %.1f", n, q, got, want)
			}
		}
		if naive := one.Quantile(0.95) * float64(n); n == 1000 && naive < 1.5*pass.Quantile(0.95) {
			t.Errorf("%d times a read's quantile is %.1f, the pass's %.1f: nothing to get wrong here", n, naive, pass.Quantile(0.95))
		}
	}
	sum := one.Times(3).Plus(one.Times(4))
	if want := one.Times(7); math.Abs(sum.Deviation-want.Deviation) > 1e-9 || math.Abs(sum.Skewness-want.Skewness) > 1e-9 {
		t.Errorf("%+v, want %+v", sum, want)
	}
}

func TestQuantileRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Latency{rapid.Float64Range(0, 10).Draw(t, "mean"), rapid.Float64Range(0, 10).Draw(t, "deviation"), rapid.Float64Range(-9, 9).Draw(t, "skewness")}
		before := 0.0
		for q := 0.01; q < 1; q += 0.01 {
			x := l.Quantile(q)
			if !(x >= before) {
				t.Fatalf("%+v: quantile %v is %v after %v", l, q, x, before)
			}
			before = x
		}
	})
}

func drawCosts(t *rapid.T) *Costs {
	c := &Costs{Ring: rapid.IntRange(1, 6).Draw(t, "ring"), Layers: make([]LayerCost, rapid.IntRange(1, 40).Draw(t, "layers"))}
	even := rapid.Bool().Draw(t, "even")
	for i := range c.Layers {
		c.Layers[i] = LayerCost{Latency{Mean: 1}, 1}
		if !even {
			c.Layers[i] = LayerCost{Latency{Mean: rapid.SampledFrom([]float64{0, 1, 1, 3}).Draw(t, "read")}, rapid.SampledFrom([]float64{1, 1, 2}).Draw(t, "share")}
		}
	}
	return c
}

// slowPass runs the recurrence of the pipeline, as DESIGN states it, over many passes and returns the time of one.
func slowPass(c *Costs, read, compute, gap float64) float64 {
	p := newPipeline(c)
	const passes = 400
	n := len(p.reads)
	io, comp := make([]float64, passes*n), make([]float64, passes*n)
	at := func(x []float64, i int) float64 {
		if i < 0 {
			return 0
		}
		return x[i]
	}
	for i := range io {
		start := at(comp, i-1)
		if i%n == 0 {
			start += gap
		}
		io[i] = max(at(io, i-1), at(comp, i-p.ring)) + read*p.reads[i%n]
		comp[i] = max(io[i], start) + compute*p.shares[i%n]
	}
	return (comp[passes*n-1] - comp[passes/2*n-1]) / (passes - passes/2)
}

func TestPipelineEqualsRecurrence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCosts(t)
		read, compute := rapid.Float64Range(0, 3).Draw(t, "read"), rapid.Float64Range(0.1, 3).Draw(t, "compute")
		gap := rapid.Float64Range(0, 4).Draw(t, "gap")
		want := slowPass(c, read, compute, gap)
		got := newPipeline(c).pass(read, compute).after(gap)
		if math.Abs(got/want-1) > 1e-6 {
			t.Fatalf("%v s, the recurrence takes %v", got, want)
		}
	})
}

func TestPipelineBounds(t *testing.T) {
	even := func(layers, ring int) *pipeline {
		return newPipeline(&Costs{Layers: make([]LayerCost, layers), Ring: ring})
	}
	for name, c := range map[string]struct {
		got, want float64
	}{
		"reads hide compute":            {even(32, 4).pass(10, 4).after(0), 10},
		"compute hides reads":           {even(32, 4).pass(4, 10).after(0), 10},
		"one buffer hides nothing":      {even(32, 1).pass(4, 10).after(0), 14},
		"short gap hides behind reads":  {even(32, 4).pass(10, 4).after(1), 10},
		"a gap hides one ring of reads": {even(8, 4).pass(8, 0.8).after(6), 6 + 0.1 + 4 + 0.1},
		"nothing to read":               {even(8, 2).pass(0, 3).after(2), 5},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}
