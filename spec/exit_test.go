package spec

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/layers"
	"pgregory.net/rapid"
)

// hashPredictor scores tokens as the target does, but for noise of 256 hidden states, which it takes for others.
type hashPredictor struct {
	target *hashModel
	layer  int
	noise  uint64

	states []uint64
	logits []float32
}

func (p *hashPredictor) Layer() int { return p.layer }
func (p *hashPredictor) Vocab() int { return p.target.vocab }

func (p *hashPredictor) Trust() layers.Trust { return layers.Trust{Draft: 0.5, Own: 0.8} }

func (p *hashPredictor) Look(hidden []float32, rows []int) {
	p.states = p.states[:0]
	for _, row := range rows {
		state := stateOf(hidden[row*hashWidth:])
		if mix(state, 77)%256 < p.noise {
			state = mix(state, 78)
		}
		p.states = append(p.states, state)
	}
}

func (p *hashPredictor) Score(dst []float32, i int, tokens []int32) {
	p.logits = resize(p.logits, p.target.vocab)
	p.target.logits(p.logits, p.states[i])
	other := 0.0
	for token, logit := range p.logits {
		if !slices.Contains(tokens, int32(token)) {
			other += math.Exp(float64(3 * logit))
		}
	}
	for t, token := range tokens {
		dst[t] = 3 * p.logits[token]
	}
	dst[len(tokens)] = float32(math.Log(other))
}

func mustExit(t rapid.TB, o ExitOptions) *EarlyExit {
	t.Helper()
	o.Layers = hashLayers
	e, err := NewEarlyExit(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// With any predictors, however wrong, and at every aggressiveness, the output is that of plain decoding, greedy or sampled.
func TestEarlyExitEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := drawCase(t)
		tokens, finish := plain(t, target, req)
		var predictors []Predictor
		for layer := range hashLayers - 1 {
			if rapid.Bool().Draw(t, "exit") {
				predictors = append(predictors, &hashPredictor{target: target, layer: layer, noise: rapid.Uint64Range(0, 256).Draw(t, "noise")})
			}
		}
		if predictors == nil {
			t.Skip("no exits")
		}
		loss := rapid.SampledFrom([]float64{0, 0.01, 0.1, 0.5, 0.9, 1}).Draw(t, "loss")
		draft := newDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "draftNoise"))
		policy := rapid.SampledFrom(PolicyNames).Draw(t, "policy")
		maxNodes := rapid.IntRange(1, 20).Draw(t, "maxNodes")
		o := Options{
			Target: target, Draft: draft, Policy: mustPolicy(t, policy, maxNodes), MaxNodes: maxNodes, Pruner: mustExit(t, ExitOptions{Predictors: predictors, Loss: loss}),
			ProjectTree: rapid.Bool().Draw(t, "projectTree"),
		}
		for range 2 { // the second time with what was learned in the first
			checkResult(t, generate(t, o, req, nil), tokens, finish)
		}
	})
}

// pathWatcher checks that what goes on is a tree, and at the greatest loss one path from the root to a leaf.
type pathWatcher struct {
	*EarlyExit
	t      *testing.T
	tree   *Tree
	passes int
}

func (w *pathWatcher) Begin(tree *Tree, policy Policy) []int {
	w.tree = tree
	return w.EarlyExit.Begin(tree, policy)
}

func (w *pathWatcher) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	keep, err := w.EarlyExit.Prune(layer, nodes, hidden)
	if err != nil || len(keep) == 0 || keep[0] != 0 {
		w.t.Fatalf("kept %v of %v: %v", keep, nodes, err)
	}
	for i, node := range keep[1:] {
		if !slices.Contains(keep[:i+1], int(w.tree.parents[node])) {
			w.t.Fatalf("kept %v of %v: node %d without its parent", keep, nodes, node)
		}
	}
	if last := keep[len(keep)-1]; w.options.Loss == 1 && (len(keep) != int(w.tree.depths[last])+1 || w.tree.first[last] >= 0) {
		w.t.Fatalf("kept %v, no single path to a leaf of parents %v", keep, w.tree.parents)
	}
	w.passes++
	return keep, nil
}

// An exact predictor after an early layer saves most of the work and loses next to nothing; one that knows nothing is not believed.
func TestEarlyExitSavesAsMuchAsThePredictorKnows(t *testing.T) {
	target := newHashModel(21, 40, 4000)
	req := Request{Prompt: []int32{1, 2, 3}, MaxTokens: 1500}
	tokens, finish := plain(t, target, req)
	measure := func(pruner Pruner) Stats {
		o := Options{Target: target, Draft: newDraftOf(target, 90), Policy: mustPolicy(t, "eagle2", 40), MaxNodes: 40, Pruner: pruner}
		result := generate(t, o, req, nil)
		checkResult(t, result, tokens, finish)
		return result.Stats
	}
	whole := measure(nil)
	for _, c := range []struct {
		noise              uint64
		loss               float64
		leastSaved, length float64
	}{
		{0, 0.02, 0.4, 0.98},
		{0, 1, 0.6, 0.9},
		{256, 0.02, 0, 0.9},
	} {
		watcher := &pathWatcher{t: t, EarlyExit: mustExit(t, ExitOptions{Predictors: []Predictor{&hashPredictor{target: target, layer: 1, noise: c.noise}}, Loss: c.loss})}
		s := measure(watcher)
		saved, length := float64(s.RowLayersSaved)/float64(s.RowLayers), s.AcceptedPerPass/whole.AcceptedPerPass
		t.Logf("noise %d, loss %v: %.0f%% saved, %.3f of the accepted tokens, %d wrong in %d passes; blend %.2f", c.noise, c.loss, 100*saved, length, s.WronglyPruned, s.Passes, watcher.exits[0].blend.weights)
		if saved < c.leastSaved || length < c.length {
			t.Errorf("noise %d, loss %v: %.2f of the work saved, %.3f of the accepted tokens left", c.noise, c.loss, saved, length)
		}
		if watcher.passes == 0 {
			t.Error("the pruner was not asked")
		}
	}
}

// fixedPrice is a policy on a device on which a row of a layer costs so many tokens.
type fixedPrice struct {
	Policy
	perRow float64
}

func (p fixedPrice) Worth(cuts []Cut, gain float64) float64 {
	last := cuts[len(cuts)-1]
	return gain - p.perRow*float64(last.Rows)*(1-last.Done)
}

// Left to the policy, nodes go whose layers cost more than they may gain, and none go where rows are free.
func TestEarlyExitFollowsThePrice(t *testing.T) {
	target := newHashModel(21, 40, 4000)
	req := Request{Prompt: []int32{1, 2, 3}, MaxTokens: 400}
	tokens, finish := plain(t, target, req)
	kept := map[float64]float64{}
	prices := []float64{0, 0.01, 0.1, 1}
	for _, price := range prices {
		exit := mustExit(t, ExitOptions{Predictors: []Predictor{&hashPredictor{target: target, layer: 1, noise: 60}}})
		o := Options{Target: target, Draft: newDraftOf(target, 90), Policy: fixedPrice{mustPolicy(t, "eagle2", 40), price}, MaxNodes: 40, Pruner: exit}
		result := generate(t, o, req, nil)
		checkResult(t, result, tokens, finish)
		kept[price] = float64(result.Stats.Verified) / float64(result.Stats.Drafted)
	}
	if kept[0] != 1 || !(kept[0.01] < 1 && kept[0.1] < kept[0.01] && kept[1] < kept[0.1]) {
		t.Errorf("parts of the nodes that went on, by price: %v", kept)
	}
	o := Options{Target: target, Draft: newDraftOf(target, 90), Policy: mustPolicy(t, "eagle2", 40), MaxNodes: 40,
		Pruner: mustExit(t, ExitOptions{Predictors: []Predictor{&hashPredictor{target: target, layer: 1}}})}
	if s := generate(t, o, req, nil).Stats; s.Pruned > 0 {
		t.Errorf("pruned %d nodes for a policy that knows no price", s.Pruned)
	}
}

func TestNewEarlyExitChecksItsOptions(t *testing.T) {
	at := func(layer int) Predictor { return &hashPredictor{layer: layer} }
	for name, o := range map[string]ExitOptions{
		"none":        {Layers: 6},
		"last layer":  {Layers: 6, Predictors: []Predictor{at(5)}},
		"negative":    {Layers: 6, Predictors: []Predictor{at(-1)}},
		"twice":       {Layers: 6, Predictors: []Predictor{at(2), at(2)}},
		"loss":        {Layers: 6, Predictors: []Predictor{at(2)}, Loss: 1.1},
		"not a loss":  {Layers: 6, Predictors: []Predictor{at(2)}, Loss: math.NaN()},
		"negative ks": {Layers: 6, Predictors: []Predictor{at(2)}, Loss: -1},
	} {
		if _, err := NewEarlyExit(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
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
		cuts []Cut
		want float64
	}{
		{nil, at(41)},
		{[]Cut{{0.25, 41}}, at(41)},
		{[]Cut{{0.25, 11}}, 0.25*at(41) + 0.75*at(11)},
		{[]Cut{{0.25, 21}, {0.5, 6}}, 0.25*at(41) + 0.25*at(21) + 0.5*at(6)},
	} {
		if got := m.PrunedPass(41, c.cuts, 0, 1); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v s, want %v", c.cuts, got, c.want)
		}
	}
	var tree Tree
	tree.Reset(1, 40, 40)
	for i := range int32(40) {
		if _, err := tree.Add(int(i), i, 1); err != nil {
			t.Fatal(err)
		}
	}
	cuts := []Cut{{0.25, 11}}
	slow := 1.5 // times slower than the profile says
	for range 30 {
		m.Observe(Observation{Tree: &tree, Path: []int{0}, Cuts: cuts, VerifySeconds: slow * (0.25*at(41) + 0.75*at(11))})
	}
	if got, want := m.PrunedPass(41, nil, 0, 1), slow*at(41); math.Abs(got/want-1) > 0.1 {
		t.Errorf("a whole pass is taken for %v s, want %v", got, want)
	}
	if got, want := m.Pass(41, 0, 1), slow*(0.25*at(41)+0.75*at(11)); math.Abs(got/want-1) > 0.1 {
		t.Errorf("a pass is expected to take %v s, want %v", got, want)
	}
	for range 30 { // not pruned any more
		m.Observe(Observation{Tree: &tree, Path: []int{0}, VerifySeconds: slow * at(41)})
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
	var tree Tree
	tree.Reset(1, 40, 40)
	for i := range int32(19) {
		if _, err := tree.Add(int(i), i, 1); err != nil {
			t.Fatal(err)
		}
	}
	mean := 0.0
	for _, rows := range slices.Repeat([]int{9, 19}, 30) {
		cuts := []Cut{{0.25, rows}}
		seconds := m.curve(20, cuts)
		mean += seconds / 60
		m.Observe(Observation{Tree: &tree, Path: []int{0}, Cuts: cuts, VerifySeconds: seconds})
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

func TestBlendLearnsWhomToBelieve(t *testing.T) {
	// Three candidates, and none of them; the draft always says the same, the predictor is right or knows nothing.
	believed := []float64{math.Log(0.4), math.Log(0.3), math.Log(0.2), math.Log(0.1)}
	for _, right := range []bool{true, false} {
		b := newBlend(layers.Trust{Draft: 0.5, Own: 0.8})
		strengths := make([]float64, 4)
		for i := range 3000 {
			picked := []int{0, 0, 0, 0, 1, 1, 1, 2, 2, 3}[mix(uint64(i), 5)%10]
			said := picked
			if !right {
				said = int(mix(uint64(i), 6) % 4)
			}
			scores := []float64{-3, -3, -3, -3}
			scores[said] = -0.1
			total := b.strengths(strengths, believed, scores)
			b.learn(believed, scores, picked, strengths, total)
		}
		if w := b.weights[1]; right && w < 1 || !right && w > 0.1 {
			t.Errorf("predictor right: %v, weights %v", right, b.weights)
		}
	}
}

func BenchmarkEarlyExit(b *testing.B) {
	target := newHashModel(21, 40, 4000)
	draft, err := newDraft(newDraftOf(target, 90), 128)
	if err != nil {
		b.Fatal(err)
	}
	policy := mustPolicy(b, "eagle2", 64)
	var tree Tree
	tree.Reset(1, 64, 64)
	draft.start([]int32{1}, &tree)
	if err := policy.Grow(ctx, []int32{1}, &tree, draft); err != nil {
		b.Fatal(err)
	}
	var nodes []int
	hidden := make([]float32, tree.Len()*hashWidth)
	for node := range tree.Len() {
		nodes = append(nodes, node)
	}
	e := mustExit(b, ExitOptions{Predictors: []Predictor{&hashPredictor{target: target, layer: 1}}, Loss: 0.02})
	left := make([]int, len(nodes))
	pass := func() {
		copy(left, nodes)
		e.Begin(&tree, nil)
		if _, err := e.Prune(1, left, hidden); err != nil {
			b.Fatal(err)
		}
		e.Observe(Observation{Tree: &tree, Path: []int{0}, Next: 1})
	}
	if n := testing.AllocsPerRun(100, pass); n > 0 {
		b.Errorf("%v allocations in a pass", n)
	}
	b.Run(fmt.Sprintf("nodes=%d", tree.Len()-1), func(b *testing.B) {
		for b.Loop() {
			pass()
		}
	})
}
