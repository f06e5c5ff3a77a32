package gaincost

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

func mustCosts(t rapid.TB, c Costs, quantile float64) *CostModel {
	t.Helper()
	m, err := NewCostModel(c, quantile)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// drawCurve draws a curve that rises, smooth or in steps.
func drawCurve(t *rapid.T) Curve {
	c := Curve{Padded: rapid.Bool().Draw(t, "padded")}
	seconds := rapid.Float64Range(0.1, 1).Draw(t, "one")
	for _, rows := range []int{1, 2, 4, 8, 16} {
		c.Points = append(c.Points, Point{rows, seconds})
		seconds += rapid.Float64Range(0, 1).Draw(t, "more")
	}
	return c
}

// drawGrower draws a grower that was offered candidates, with chances as offered, after nodes on three levels.
func drawGrower(t *rapid.T, model *CostModel, limit, width int) *grower {
	var tree spec.Tree
	tree.Reset(0, limit, 4)
	g := &grower{model: model, learned: &Estimator{}, most: math.Inf(1)}
	g.start([]int32{0}, &tree)
	for node := 0; node < tree.Len() && tree.Len() < limit; node++ {
		if node > 0 && !rapid.Bool().Draw(t, "expand") {
			continue
		}
		var tokens []int32
		var probs []float32
		left := float32(1)
		for i := range rapid.IntRange(1, width).Draw(t, "candidates") {
			p := left * rapid.Float32Range(0.05, 0.95).Draw(t, "prob")
			if i > 0 {
				p = min(p, probs[i-1])
			}
			left -= p
			tokens, probs = append(tokens, int32(i)), append(probs, p)
		}
		if err := tree.Offer(node, spec.FromDraft, tokens, probs); err != nil {
			t.Fatal(err)
		}
		if err := g.weigh(node); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// bruteForce returns the largest gain of a tree of each number of nodes, the root included, trying all trees that can be
// verified.
func bruteForce(g *grower) []float64 {
	n := g.tree.Len()
	best := make([]float64, g.limit+2)
	for set := range 1 << (n - 1) {
		gain, nodes := 1.0, 1
		for node := 1; node < n && gain > 0; node++ {
			if set>>(node-1)&1 == 0 {
				continue
			}
			if parent := g.tree.Parents()[node]; parent > 0 && set>>(parent-1)&1 == 0 {
				gain = 0
				break
			}
			gain, nodes = gain+g.chance[node], nodes+1
		}
		if gain > 0 && nodes < len(best) {
			best[nodes] = max(best[nodes], gain)
		}
	}
	return best
}

// Of all trees that can be made of the candidates, the one that is grown has the largest value; and where the rate is the best
// ratio of gain to time itself, it has that ratio.
func TestGrownTreeIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := mustCosts(t, Costs{
			Layers:  []LayerCost{{Read: Latency{Mean: rapid.Float64Range(0, 2).Draw(t, "read")}}, {}, {}},
			Compute: drawCurve(t), Project: rapid.Float64Range(0, 0.1).Draw(t, "project"),
		}, 0)
		g := drawGrower(t, model, 12, 3)
		g.drafting, g.rate = rapid.Float64Range(0, 2).Draw(t, "drafting"), rapid.Float64Range(0, 3).Draw(t, "rate")
		gains := bruteForce(g)

		want, ratio := math.Inf(-1), 0.0
		for rows, gain := range gains {
			if gain > 0 {
				seconds := model.Pass(rows, g.drafting, gain)
				want, ratio = max(want, gain-g.rate*seconds), max(ratio, gain/seconds)
			}
		}
		if _, value := g.size(g.best, g.drafting); math.Abs(value-want) > 1e-9 {
			t.Fatalf("value %v, the best tree's is %v", value, want)
		}
		gain := 1.0
		for i, x := range g.best {
			if gain += x.chance; math.Abs(gain-gains[i+2]) > 1e-9 {
				t.Fatalf("gain %v with %d nodes, the best tree's is %v", gain, i+1, gains[i+2])
			}
		}

		g.rate = ratio
		nodes, value := g.size(g.best, g.drafting)
		if math.Abs(value) > 1e-9 {
			t.Fatalf("value %v at the best ratio %v", value, ratio)
		}
		gain, err := g.finish(nodes)
		if err != nil {
			t.Fatal(err)
		}
		spectest.CheckTree(t, g.tree)
		if got := gain / model.Pass(g.tree.Len(), g.drafting, gain); math.Abs(got-ratio) > 1e-9 {
			t.Fatalf("ratio %v of %d nodes, the best is %v", got, nodes, ratio)
		}
	})
}

// The longer a pass reads, the larger the tree: rows hide behind the reads.
func TestSlowerReadsMakeLargerTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compute := drawCurve(t)
		layers := make([]LayerCost, 16)
		before := 0
		var g *grower
		for _, read := range []float64{0, 0.5, 1, 2, 4, 8} {
			for i := range layers {
				layers[i].Read.Mean = read / float64(len(layers))
			}
			model := mustCosts(t, Costs{Layers: layers, Ring: 3, Compute: compute}, 0)
			if g == nil {
				g = drawGrower(t, model, 40, 6)
				g.rate = rapid.Float64Range(0, 3).Draw(t, "rate")
			}
			g.model = model
			nodes, _ := g.size(g.best, 0.1)
			if nodes < before {
				t.Fatalf("%d nodes where reading takes %v s, %d with faster reads", nodes, read, before)
			}
			before = nodes
		}
	})
}

// A padded batch is filled to its end, as far as there are candidates.
func TestStepsAreFilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compute := drawCurve(t)
		compute.Padded = true
		g := drawGrower(t, mustCosts(t, Costs{Compute: compute}, 0), 40, 8)
		g.rate = rapid.Float64Range(0, 3).Draw(t, "rate")
		nodes, _ := g.size(g.best, 0)
		if nodes == len(g.best) || g.best[nodes].chance == 0 {
			return
		}
		if rows := nodes + 1; compute.At(rows) == compute.At(rows+1) {
			t.Fatalf("%d rows, one more takes no longer", rows)
		}
	})
}

// A pass may not take longer than it is allowed to, however much it would gain.
func TestSizeKeepsToTheTimeAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGrower(t, mustCosts(t, Costs{Compute: drawCurve(t)}, 0), 40, 6)
		g.most = rapid.Float64Range(0, 3).Draw(t, "most")
		nodes, _ := g.size(g.best, 0.1)
		if seconds := g.model.Pass(nodes+1, 0.1, 1); nodes > 0 && seconds > g.most {
			t.Fatalf("%d nodes in %v s, %v are allowed", nodes, seconds, g.most)
		}
	})
}
