package baseline

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// guess is a drafted node as the definitions below see it.
type guess struct {
	path   []int32 // from below the root
	weight float32
}

// children returns the k most probable guesses after g.
func (g guess) children(m *spectest.HashModel, sequence []int32, k int) []guess {
	state := uint64(1)
	for _, token := range slices.Concat(sequence, g.path) {
		state = spectest.Mix(state, uint64(token)+1)
	}
	logits := make([]float32, m.VocabSize)
	m.Logits(logits, state)
	kernels.Default().Softmax(logits)
	var out []guess
	for token, prob := range logits {
		out = append(out, guess{append(slices.Clone(g.path), int32(token)), g.weight * prob})
	}
	return topGuesses(out, k)
}

// topGuesses returns the n guesses of largest weight, earlier ones first among equals.
func topGuesses(guesses []guess, n int) []guess {
	guesses = slices.Clone(guesses)
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(b.weight, a.weight) })
	return guesses[:min(n, len(guesses))]
}

// naiveOPTTree drafts level by level until one more would add too little.
func naiveOPTTree(m *spectest.HashModel, sequence []int32, n, maxDepth int, threshold float64) []guess {
	layers := [][]guess{guess{weight: 1}.children(m, sequence, n)}
	before := 0.0
	for {
		var next []guess
		for _, g := range layers[len(layers)-1] {
			next = append(next, g.children(m, sequence, n)...)
		}
		used := slices.Concat(layers...)
		layers = append(layers, topGuesses(next, n))
		sum := 0.0
		for _, g := range topGuesses(used, n) {
			sum += float64(g.weight)
		}
		if sum-before <= threshold || len(layers) > maxDepth {
			return topGuesses(used, n)
		}
		before = sum
	}
}

// naiveEAGLE2 expands the best k of each level and reranks all that was seen.
func naiveEAGLE2(m *spectest.HashModel, sequence []int32, n, k, depth int) []guess {
	level := guess{weight: 1}.children(m, sequence, k)
	pool := slices.Clone(level)
	for range depth {
		var next []guess
		for _, g := range topGuesses(level, k) {
			next = append(next, g.children(m, sequence, k)...)
		}
		pool = append(pool, next...)
		level = next
	}
	return topGuesses(pool, n)
}

func TestBeamPoliciesAreWhatTheirSourcesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := spectest.NewHashModel(rapid.Uint64().Draw(t, "model"), rapid.IntRange(2, 12).Draw(t, "vocab"), 100)
		m.Levels = rapid.Uint64Range(1, 200).Draw(t, "levels") // few give many ties
		n, k := rapid.IntRange(1, 12).Draw(t, "nodes"), rapid.IntRange(1, 6).Draw(t, "k")
		depth, threshold := rapid.IntRange(1, 5).Draw(t, "depth"), rapid.Float64Range(0.01, 0.9).Draw(t, "threshold")
		sequence := []int32{1, 0, 1}
		eagle, err := NewEAGLE2(EAGLE2Options{Budget: n, TopK: k, Depth: depth})
		if err != nil {
			t.Fatal(err)
		}
		opt, err := NewOPTTree(OPTTreeOptions{Budget: n, MaxDepth: depth, Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			policy spec.Policy
			want   []guess
		}{
			{eagle, naiveEAGLE2(m, sequence, n, k, depth)},
			{opt, naiveOPTTree(m, sequence, n, depth, threshold)},
		} {
			m.Committed, m.Pending = nil, nil
			var tree spec.Tree
			tree.Reset(sequence[len(sequence)-1], 100, 100)
			draft := spec.NewDraft(m, 10)
			draft.Start(sequence, &tree)
			if err := c.policy.Grow(context.Background(), sequence, &tree, draft); err != nil {
				t.Fatal(err)
			}
			spectest.CheckTree(t, &tree)
			if tree.Len()-1 != len(c.want) {
				t.Fatalf("%T: %d nodes, want %v", c.policy, tree.Len()-1, c.want)
			}
			for _, g := range c.want {
				node := 0
				for _, token := range g.path {
					if node = tree.Child(node, token); node < 0 {
						t.Fatalf("%T: %v is missing of %v", c.policy, g, c.want)
					}
				}
				if tree.Weights()[node] != g.weight {
					t.Fatalf("%T: %v has weight %v", c.policy, g, tree.Weights()[node])
				}
			}
		}
	})
}

// bestTree tries all trees of n nodes and at most the given levels, the root included, whose nodes have at most as many children
// as there are acceptance probabilities, and returns the largest expected number of tokens.
func bestTree(acceptance []float64, n, levels int) float64 {
	if levels == 0 {
		return math.Inf(-1)
	}
	best := math.Inf(-1)
	var share func(rest, child int, value float64)
	share = func(rest, child int, value float64) {
		if rest == 0 {
			best = max(best, value)
			return
		}
		if child == len(acceptance) {
			return
		}
		for size := 1; size <= rest; size++ {
			share(rest-size, child+1, value+acceptance[child]*bestTree(acceptance, size, levels-1))
		}
	}
	share(n-1, 0, 1)
	return best
}

func TestTreeSearchFindsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acceptance := rapid.SliceOfN(rapid.Float64Range(0.01, 0.9), 1, 3).Draw(t, "acceptance")
		nodes, levels := rapid.IntRange(1, 7).Draw(t, "nodes"), rapid.IntRange(1, 4).Draw(t, "levels")
		var s treeSearch
		s.run([]float64{0.5, 0.5}, 5, 5)
		s.run(acceptance, nodes, levels)
		most, cheapest := 0.0, math.Inf(1)
		cost := func(depth, nodes int) float64 { return 1 + 0.3*float64(depth) + 0.1*float64(nodes) }
		for n := 1; n <= nodes; n++ {
			for l := 1; l <= levels; l++ {
				want := bestTree(acceptance, n, l)
				if got := s.best(n, l); got != want && math.Abs(got-want) > 1e-12 {
					t.Fatalf("%d nodes, %d levels: %v, want %v", n, l, got, want)
				}
				if n > 1 && !math.IsInf(want, -1) {
					most, cheapest = max(most, want), min(cheapest, cost(l-1, n-1)/want)
				}
			}
		}
		value, _ := checkShape(t, acceptance, s.shape(nil, nil))
		if nodes > 1 && levels > 1 && math.Abs(value-most) > 1e-12 {
			t.Fatalf("shape of value %v, best %v", value, most)
		}
		shape := s.shape(nil, cost)
		value, depth := checkShape(t, acceptance, shape)
		if nodes > 1 && levels > 1 && cost(depth, len(shape)-1)/value > cheapest+1e-12 {
			t.Fatalf("shape of %v per token, best %v", cost(depth, len(shape)-1)/value, cheapest)
		}
	})
}

// checkShape returns the expected number of tokens and the depth of a shape, from its parents and ranks alone.
func checkShape(t *rapid.T, acceptance []float64, shape []shapeNode) (total float64, depth int) {
	values, depths, children := []float64{1}, []int{0}, make([]int, len(shape))
	for i, s := range shape {
		if i > 0 {
			if s.parent < 0 || s.parent >= i || s.parent < shape[i-1].parent || s.rank != children[s.parent] {
				t.Fatalf("node %d of %+v", i, shape)
			}
			children[s.parent]++
			values = append(values, values[s.parent]*acceptance[s.rank])
			depths = append(depths, depths[s.parent]+1)
		}
		total += values[i]
		depth = max(depth, depths[i])
	}
	for i, s := range shape {
		if s.branches != children[i] {
			t.Fatalf("node %d of %+v has %d children", i, shape, children[i])
		}
	}
	return total, depth
}

// Sequoia finds out how good the draft model is.
func TestSequoiaLearns(t *testing.T) {
	target := spectest.NewHashModel(1, 50, 4000)
	target.Levels = 1000
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 1500}
	for _, c := range []struct {
		noise uint64
		depth int // at least for a draft that is right, at most for one that is not
	}{{0, 15}, {256, 6}} {
		s, err := NewSequoia(SequoiaOptions{Budget: 16})
		if err != nil {
			t.Fatal(err)
		}
		spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, c.noise), Policy: s}, req, nil)
		depth := 0
		for i := len(s.shape) - 1; i > 0; i = s.shape[i].parent {
			depth++
		}
		if c.noise == 0 && depth < c.depth || c.noise > 0 && depth > c.depth {
			t.Errorf("noise %d: the shape is %d deep; ranks %v of %v", c.noise, depth, s.hits, s.seen)
		}
	}
}

// A sure draft is followed in a chain; one that doubts gives a bush.
func TestPowerServeSplitsWhereInDoubt(t *testing.T) {
	p, err := NewPowerServe(PowerServeOptions{Budget: 11})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		logits func(i int) float32
		depth  int32 // of the tree
		waves  int
	}{
		{func(i int) float32 { return -20 * float32(i) }, 11, 11},
		{func(i int) float32 { return 0 }, 1, 1},                  // a path of 1/15 is not expanded
		{func(i int) float32 { return -20 * float32(i/2) }, 3, 7}, // paths of 1/2 and 1/4 are, of 1/8 not
	} {
		m := spectest.NewFreeModel(20)
		for _, row := range m.Table {
			for i := range row {
				row[i] = c.logits(i)
			}
		}
		var tree spec.Tree
		tree.Reset(1, 64, 64)
		draft := spec.NewDraft(m, 10)
		sequence := []int32{1}
		draft.Start(sequence, &tree)
		if err := p.Grow(context.Background(), sequence, &tree, draft); err != nil {
			t.Fatal(err)
		}
		spectest.CheckTree(t, &tree)
		if depth := slices.Max(tree.Depths()); tree.Len() != 12 || depth != c.depth || len(tree.Sets()) != c.waves {
			t.Errorf("%d nodes, %d deep, %d expanded; want 12, %d, %d", tree.Len(), depth, len(tree.Sets()), c.depth, c.waves)
		}
	}
}

func TestSpecInferWidths(t *testing.T) {
	for budget := 1; budget <= 300; budget++ {
		widths, nodes, level := SpecInferWidths(budget), 0, 1
		for _, width := range widths {
			level *= width
			nodes += level
		}
		if nodes > budget || nodes < budget-5 {
			t.Errorf("%d: %v has %d nodes", budget, widths, nodes)
		}
	}
	if got := SpecInferWidths(20); !slices.Equal(got, []int{1, 1, 3, 1, 1, 1, 1, 1}) {
		t.Errorf("20: %v", got)
	}
}
