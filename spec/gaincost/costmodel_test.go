package gaincost

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lever-go/lever/spec"
)

// observe shows a model a pass of so many rows.
func observe(m *CostModel, rows int, drafting, verifying float64, io spec.IOStats) {
	var tree spec.Tree
	tree.Reset(0, rows, 2)
	for i := range rows - 1 {
		if _, err := tree.Add(0, int32(i), 0); err != nil {
			panic(err)
		}
	}
	m.Observe(spec.Observation{Tree: &tree, Path: []int{0}, DraftSeconds: drafting, VerifySeconds: verifying, IO: io})
}

// Whatever a model starts from, after some passes of all sizes it knows about what they take, steps included, and follows when
// the device slows down or recovers; the sizes seen least lag behind.
func TestCostModelLearns(t *testing.T) {
	truth := Curve{Points: []Point{{1, 0.2}, {8, 0.3}, {16, 0.5}, {32, 0.9}, {64, 1.8}}, Padded: true}
	for name, profile := range map[string]Curve{
		"no profile": {}, "a true one": truth, "a flat one": line(0.2, 0), "a steep one": line(0.15, 0.05), "another device's": line(3, 1),
	} {
		m := mustCosts(t, Costs{Compute: profile}, 0)
		random := rand.New(rand.NewPCG(1, 2))
		for _, slow := range []float64{1, 2, 0.7} {
			for range 150 {
				rows := 1 + random.IntN(64)
				observe(m, rows, 0, slow*truth.At(rows)*(1+0.1*random.Float64()-0.05), spec.IOStats{})
			}
			worst := 0.0
			for rows := 1; rows <= 64; rows++ {
				worst = max(worst, math.Abs(m.Pass(rows, 0, 1)/(slow*truth.At(rows))-1))
			}
			if worst > 0.6 {
				t.Errorf("%s, %v times the time: off by %.2f", name, slow, worst)
			}
			if off := math.Abs(m.Pass(24, 0, 1)/(slow*truth.At(24)) - 1); off > 0.25 {
				t.Errorf("%s, %v times the time: off by %.2f for 24 rows", name, slow, off)
			}
		}
	}
}

// Where each row brings experts of its own, a row adds more than is guessed at first. Passes of one and two rows tell it for others.
func TestCostModelLearnsSteepRows(t *testing.T) {
	truth := line(0.1, 0.15)
	m := mustCosts(t, Costs{}, 0)
	for range 20 {
		for rows := 1; rows <= 2; rows++ {
			observe(m, rows, 0, truth.At(rows), spec.IOStats{})
		}
	}
	for rows := range 8 {
		if off := math.Abs(m.Pass(rows+1, 0, 1)/truth.At(rows+1) - 1); off > 0.3 {
			t.Errorf("off by %.2f for %d rows", off, rows+1)
		}
	}
}

func TestCostModelLearnsDraft(t *testing.T) {
	truth := line(0.03, 0.002)
	for name, profile := range map[string]Curve{"no profile": {}, "a true one": truth, "half": line(0.016, 0.001), "another device's": line(1, 1)} {
		m := mustCosts(t, Costs{Draft: profile}, 0)
		random := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			seconds := 0.0
			for range 1 + random.IntN(6) {
				rows := 1 + random.IntN(16)
				m.Drafted(rows)
				seconds += truth.At(rows)
			}
			observe(m, 4, seconds, 1, spec.IOStats{})
		}
		for _, rows := range []int{1, 4, 16} {
			if off := math.Abs(m.Forward(rows)/truth.At(rows) - 1); off > 0.1 {
				t.Errorf("%s: off by %.2f for %d rows", name, off, rows)
			}
		}
	}
}

// Reads are learned from passes that waited for them. Those that were held up by computing show nothing.
func TestCostModelLearnsReads(t *testing.T) {
	for name, profile := range map[string]Latency{"no profile": {}, "a true one": {Mean: 1}, "half": {Mean: 0.6}, "another device's": {Mean: 9}} {
		m := mustCosts(t, Costs{Layers: []LayerCost{{Read: profile}, {}, {}, {}}, Compute: line(0.1, 0.1)}, 0)
		random := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			read := 0.95 + 0.1*random.Float64()
			observe(m, 1, 0, read, spec.IOStats{IOSeconds: read, IOWaitSeconds: read - 0.1})
			observe(m, 20, 0, 2, spec.IOStats{IOSeconds: 1.9})
		}
		if math.Abs(m.read.Mean-1) > 0.03 {
			t.Errorf("%s: a pass reads for %v s", name, m.read.Mean)
		}
	}
}

// With a tail, the average pass takes longer than the pass of average reads, and an upper quantile longer still.
func TestCostModelTail(t *testing.T) {
	layers := make([]LayerCost, 8)
	for i := range layers {
		layers[i].Read = Latency{Mean: 0.1, Deviation: 0.2, Skewness: 6}
	}
	costs := Costs{Layers: layers, Ring: 2, Compute: line(0.1, 0.025)}
	average, upper := mustCosts(t, costs, 0), mustCosts(t, costs, 0.9)
	for i := range layers {
		layers[i].Read = Latency{Mean: 0.1}
	}
	steady := mustCosts(t, costs, 0)
	for _, rows := range []int{1, 16, 32} {
		a, b, c := steady.Pass(rows, 0, 1), average.Pass(rows, 0, 1), upper.Pass(rows, 0, 1)
		if rows == 1 && math.Abs(b/a-1) > 0.05 || rows > 1 && b < 1.01*a || c < 1.1*b {
			t.Errorf("%d rows: %v s with steady reads, %v on average, %v at most", rows, a, b, c)
		}
	}
}

func FuzzCostModel(f *testing.F) {
	f.Add([]byte{1, 10, 200, 30, 4, 64, 0, 255, 9, 9, 9, 9})
	f.Add([]byte("times of all kinds, and none"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := mustCosts(t, Costs{}, 0)
		for ; len(steps) >= 4; steps = steps[4:] {
			at := func(i int) float64 { return math.Expm1(float64(steps[i]) / 16) }
			if steps[0]%3 == 0 {
				m.Drafted(int(steps[1]))
			}
			observe(m, 1+int(steps[0])%64, at(1), at(2), spec.IOStats{IOSeconds: at(3), IOWaitSeconds: at(1)})
			for _, rows := range []int{1, 7, 64} {
				if s, d := m.Pass(rows, at(2), 3), m.Forward(rows); !(s >= 0 && d >= 0) || math.IsInf(s+d, 0) {
					t.Fatalf("%d rows in %v s, drafted in %v s", rows, s, d)
				}
			}
		}
	})
}

// A pass that is pruned computes for less time, the less the later; the cost model learns from pruned passes what the whole would take, and expects
// of larger trees the share of late.
func TestCostModelOfPrunedPasses(t *testing.T) {
	costs := Costs{Compute: line(0.1, 0.02)}
	m, err := NewCostModel(costs, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := costs.Compute.At
	for _, c := range []struct {
		cuts []spec.Cut
		want float64
	}{
		{nil, at(41)},
		{[]spec.Cut{{Done: 0.25, Rows: 41}}, at(41)},
		{[]spec.Cut{{Done: 0.25, Rows: 11}}, 0.25*at(41) + 0.75*at(11)},
		{[]spec.Cut{{Done: 0.25, Rows: 21}, {Done: 0.5, Rows: 6}}, 0.25*at(41) + 0.25*at(21) + 0.5*at(6)},
	} {
		if got := m.PrunedPass(41, c.cuts, 0, 1); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v s, want %v", c.cuts, got, c.want)
		}
	}
	var tree spec.Tree
	tree.Reset(1, 40, 40)
	for i := range int32(40) {
		if _, err := tree.Add(int(i), i, 1); err != nil {
			t.Fatal(err)
		}
	}
	cuts := []spec.Cut{{Done: 0.25, Rows: 11}}
	slow := 1.5 // times slower than the profile says
	for range 30 {
		m.Observe(spec.Observation{Tree: &tree, Path: []int{0}, Cuts: cuts, VerifySeconds: slow * (0.25*at(41) + 0.75*at(11))})
	}
	if got, want := m.PrunedPass(41, nil, 0, 1), slow*at(41); math.Abs(got/want-1) > 0.1 {
		t.Errorf("a whole pass is taken for %v s, want %v", got, want)
	}
	if got, want := m.Pass(41, 0, 1), slow*(0.25*at(41)+0.75*at(11)); math.Abs(got/want-1) > 0.1 {
		t.Errorf("a pass is expected to take %v s, want %v", got, want)
	}
	for range 30 { // not pruned any more
		m.Observe(spec.Observation{Tree: &tree, Path: []int{0}, VerifySeconds: slow * at(41)})
	}
	if got, want := m.Pass(41, 0, 1), slow*at(41); math.Abs(got/want-1) > 0.15 {
		t.Errorf("without pruning a pass is expected to take %v s, want %v", got, want)
	}
}

// Half of the trees are pruned to a smaller padded batch, half to one of the same size: what they take on average is expected, not the time of the
// average rows.
func TestCostModelOfPrunedPaddedPasses(t *testing.T) {
	costs := Costs{Compute: Curve{Padded: true, Points: []Point{{1, 0.1}, {8, 0.2}, {16, 0.3}, {32, 0.5}}}}
	m, err := NewCostModel(costs, 0)
	if err != nil {
		t.Fatal(err)
	}
	var tree spec.Tree
	tree.Reset(1, 40, 40)
	for i := range int32(19) {
		if _, err := tree.Add(int(i), i, 1); err != nil {
			t.Fatal(err)
		}
	}
	mean := 0.0
	for _, rows := range slices.Repeat([]int{9, 19}, 30) {
		cuts := []spec.Cut{{Done: 0.25, Rows: rows}}
		seconds := m.curve(20, cuts, 0)
		mean += seconds / 60
		m.Observe(spec.Observation{Tree: &tree, Path: []int{0}, Cuts: cuts, VerifySeconds: seconds})
	}
	for _, rows := range []int{17, 20, 32} {
		if got := m.Pass(rows, 0, 1); math.Abs(got/mean-1) > 0.05 {
			t.Errorf("a pass of %d rows is expected to take %v s, want %v", rows, got, mean)
		}
	}
	if got := m.Pass(16, 0, 1); math.Abs(got-0.3) > 0.02 {
		t.Errorf("a pass of 16 rows, of which none was seen, is expected to take %v s, want 0.3", got)
	}
}
