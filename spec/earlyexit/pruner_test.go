package earlyexit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/layers"
	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
)

// hashPredictor scores tokens as the target does, but for noise of 256 hidden states, which it takes for others.
type hashPredictor struct {
	target *spectest.HashModel
	layer  int
	noise  uint64

	states []uint64
	logits []float32
}

func (p *hashPredictor) Layer() int { return p.layer }
func (p *hashPredictor) Vocab() int { return p.target.VocabSize }

func (p *hashPredictor) Blend() layers.BlendWeights {
	return layers.BlendWeights{Draft: 0.5, Predictor: 0.8}
}

func (p *hashPredictor) Look(hidden []float32, rows []int) {
	p.states = p.states[:0]
	for _, row := range rows {
		state := spectest.StateOf(hidden[row*spectest.HashWidth:])
		if spectest.Mix(state, 77)%256 < p.noise {
			state = spectest.Mix(state, 78)
		}
		p.states = append(p.states, state)
	}
}

func (p *hashPredictor) Score(dst []float32, i int, tokens []int32) {
	p.logits = slices.Grow(p.logits[:0], p.target.VocabSize)[:p.target.VocabSize]
	p.target.Logits(p.logits, p.states[i])
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

func mustExit(t rapid.TB, o Options) *Pruner {
	t.Helper()
	o.Layers = spectest.HashLayers
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func eagle2(t rapid.TB, nodes int) spec.Policy {
	t.Helper()
	policy, err := baseline.NewEAGLE2(baseline.EAGLE2Options{Budget: nodes})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// policies returns one of each kind: with a price, without one, of one shape, a chain, and without a draft.
func policies(t rapid.TB, nodes int) []spec.Policy {
	t.Helper()
	lever, err1 := gaincost.NewLever(gaincost.LeverOptions{Budget: nodes})
	ngram, err2 := gaincost.NewNGram(gaincost.NGramOptions{Budget: nodes})
	sequoia, err3 := baseline.NewSequoia(baseline.SequoiaOptions{Budget: nodes})
	chain, err4 := baseline.NewChain(nodes, 0)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return []spec.Policy{lever, ngram, sequoia, chain, eagle2(t, nodes), spec.None{}}
}

// With any predictors, however wrong, and at every aggressiveness, the output is that of plain decoding, greedy or sampled.
func TestPrunerEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		tokens, finish := spectest.Plain(t, target, req)
		var predictors []Predictor
		for layer := range spectest.HashLayers - 1 {
			if rapid.Bool().Draw(t, "exit") {
				predictors = append(predictors, &hashPredictor{target: target, layer: layer, noise: rapid.Uint64Range(0, 256).Draw(t, "noise")})
			}
		}
		if predictors == nil {
			t.Skip("no exits")
		}
		loss := rapid.SampledFrom([]float64{0, 0.01, 0.1, 0.5, 0.9, 1}).Draw(t, "loss")
		draft := spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "draftNoise"))
		maxNodes := rapid.IntRange(1, 20).Draw(t, "maxNodes")
		policy := rapid.SampledFrom(policies(t, maxNodes)).Draw(t, "policy")
		o := spec.Options{
			Target: target, Draft: draft, Policy: policy, Budget: maxNodes, Pruner: mustExit(t, Options{Predictors: predictors, Loss: loss}),
			ProjectTree: rapid.Bool().Draw(t, "projectTree"),
		}
		for range 2 { // the second time with what was learned in the first
			spectest.CheckResult(t, spectest.Generate(t, o, req, nil), tokens, finish)
		}
	})
}

// pathWatcher checks that what goes on is a tree, and at the greatest loss one path from the root to a leaf.
type pathWatcher struct {
	*Pruner
	t      *testing.T
	tree   *spec.Tree
	passes int
}

func (w *pathWatcher) Begin(tree *spec.Tree, policy spec.Policy) []int {
	w.tree = tree
	return w.Pruner.Begin(tree, policy)
}

func (w *pathWatcher) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	keep, err := w.Pruner.Prune(layer, nodes, hidden)
	if err != nil || len(keep) == 0 || keep[0] != 0 {
		w.t.Fatalf("kept %v of %v: %v", keep, nodes, err)
	}
	for i, node := range keep[1:] {
		if !slices.Contains(keep[:i+1], int(w.tree.Parents()[node])) {
			w.t.Fatalf("kept %v of %v: node %d without its parent", keep, nodes, node)
		}
	}
	if last := keep[len(keep)-1]; w.options.Loss == 1 && (len(keep) != int(w.tree.Depths()[last])+1 || !w.tree.IsLeaf(last)) {
		w.t.Fatalf("kept %v, no single path to a leaf of parents %v", keep, w.tree.Parents())
	}
	w.passes++
	return keep, nil
}

// An exact predictor after an early layer saves most of the work and loses next to nothing; one that knows nothing gets no weight.
func TestPrunerSavesAsMuchAsThePredictorKnows(t *testing.T) {
	target := spectest.NewHashModel(21, 40, 4000)
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 1500}
	tokens, finish := spectest.Plain(t, target, req)
	measure := func(pruner spec.Pruner) spec.Stats {
		o := spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 90), Policy: eagle2(t, 40), Budget: 40, Pruner: pruner}
		result := spectest.Generate(t, o, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
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
		watcher := &pathWatcher{t: t, Pruner: mustExit(t, Options{Predictors: []Predictor{&hashPredictor{target: target, layer: 1, noise: c.noise}}, Loss: c.loss})}
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
	spec.Policy
	perRow float64
}

func (p fixedPrice) Worth(cuts []spec.Cut, gain float64) float64 {
	last := cuts[len(cuts)-1]
	return gain - p.perRow*float64(last.Rows)*(1-last.Done)
}

// Left to the policy, nodes go whose layers cost more than they may gain, and none go where rows are free.
func TestPrunerFollowsThePrice(t *testing.T) {
	target := spectest.NewHashModel(21, 40, 4000)
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 400}
	tokens, finish := spectest.Plain(t, target, req)
	kept := map[float64]float64{}
	prices := []float64{0, 0.01, 0.1, 1}
	for _, price := range prices {
		exit := mustExit(t, Options{Predictors: []Predictor{&hashPredictor{target: target, layer: 1, noise: 60}}})
		o := spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 90), Policy: fixedPrice{eagle2(t, 40), price}, Budget: 40, Pruner: exit}
		result := spectest.Generate(t, o, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
		kept[price] = float64(result.Stats.Verified) / float64(result.Stats.Drafted)
	}
	if kept[0] != 1 || !(kept[0.01] < 1 && kept[0.1] < kept[0.01] && kept[1] < kept[0.1]) {
		t.Errorf("parts of the nodes that went on, by price: %v", kept)
	}
	o := spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 90), Policy: eagle2(t, 40), Budget: 40,
		Pruner: mustExit(t, Options{Predictors: []Predictor{&hashPredictor{target: target, layer: 1}}})}
	if s := spectest.Generate(t, o, req, nil).Stats; s.Pruned > 0 {
		t.Errorf("pruned %d nodes for a policy that knows no price", s.Pruned)
	}
}

func TestNewChecksItsOptions(t *testing.T) {
	at := func(layer int) Predictor { return &hashPredictor{layer: layer} }
	for name, o := range map[string]Options{
		"none":        {Layers: 6},
		"last layer":  {Layers: 6, Predictors: []Predictor{at(5)}},
		"negative":    {Layers: 6, Predictors: []Predictor{at(-1)}},
		"twice":       {Layers: 6, Predictors: []Predictor{at(2), at(2)}},
		"loss":        {Layers: 6, Predictors: []Predictor{at(2)}, Loss: 1.1},
		"not a loss":  {Layers: 6, Predictors: []Predictor{at(2)}, Loss: math.NaN()},
		"negative ks": {Layers: 6, Predictors: []Predictor{at(2)}, Loss: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBlendLearnsWhomToBelieve(t *testing.T) {
	// Three candidates, and none of them; the draft always says the same, the predictor is right or knows nothing.
	priors := []float64{math.Log(0.4), math.Log(0.3), math.Log(0.2), math.Log(0.1)}
	for _, right := range []bool{true, false} {
		b := newBlend(layers.BlendWeights{Draft: 0.5, Predictor: 0.8})
		strengths := make([]float64, 4)
		for i := range 3000 {
			picked := []int{0, 0, 0, 0, 1, 1, 1, 2, 2, 3}[spectest.Mix(uint64(i), 5)%10]
			said := picked
			if !right {
				said = int(spectest.Mix(uint64(i), 6) % 4)
			}
			scores := []float64{-3, -3, -3, -3}
			scores[said] = -0.1
			total := b.strengths(strengths, priors, scores)
			b.learn(priors, scores, picked, strengths, total)
		}
		if w := b.weights[1]; right && w < 1 || !right && w > 0.1 {
			t.Errorf("predictor right: %v, weights %v", right, b.weights)
		}
	}
}

// forecaster is such a policy that knows what passes take, and counts the questions about them.
type forecaster struct {
	fixedPrice
	seconds float64
	asked   int
}

func (f *forecaster) Worth(cuts []spec.Cut, gain float64) float64 {
	f.asked++
	return f.fixedPrice.Worth(cuts, gain)
}

func (f *forecaster) Forecast() (accepted, seconds float64) { return 4, f.seconds }

// Where nothing can be gained the predictor is not asked, and where looks have gained less than their time it seldom is.
func TestPrunerLooksWhereItPays(t *testing.T) {
	target := spectest.NewHashModel(21, 40, 4000)
	draft := spec.NewDraft(spectest.NewDraftOf(target, 90), 128)
	var tree spec.Tree
	tree.Reset(1, 64, 64)
	draft.Start([]int32{1}, &tree)
	if err := eagle2(t, 64).Grow(t.Context(), []int32{1}, &tree, draft); err != nil {
		t.Fatal(err)
	}
	const passes = 320
	for _, c := range []struct {
		name            string
		perRow, seconds float64
		least, most     int // looks
	}{
		{"rows cost nothing", 0, 1, 0, 0},
		{"rows cost little", 0.008, 1, 0, 0},
		{"rows cost much", 0.2, 1, passes, passes},
		{"a pass is shorter than a look", 0.2, 1e-12, 1, passes / 10},
		{"how long passes take is not known", 0.2, 0, passes, passes},
	} {
		e := mustExit(t, Options{Predictors: []Predictor{&hashPredictor{target: target, layer: 1}}})
		policy := &forecaster{fixedPrice: fixedPrice{spec.None{}, c.perRow}, seconds: c.seconds}
		looks := 0
		for range passes {
			policy.asked = 0
			if e.Begin(&tree, policy) == nil {
				if policy.asked > 2 {
					t.Errorf("%s: %d questions about a pass that is not looked at", c.name, policy.asked)
				}
			} else {
				looks++
				var nodes []int
				for node := range tree.Len() {
					nodes = append(nodes, node)
				}
				if _, err := e.Prune(1, nodes, make([]float32, tree.Len()*spectest.HashWidth)); err != nil {
					t.Fatal(err)
				}
			}
			e.Observe(spec.Observation{Tree: &tree, Path: []int{0}, Next: 1})
		}
		if looks < c.least || looks > c.most {
			t.Errorf("%s: %d looks in %d passes", c.name, looks, passes)
		}
	}
}

func BenchmarkPruner(b *testing.B) {
	target := spectest.NewHashModel(21, 40, 4000)
	draft := spec.NewDraft(spectest.NewDraftOf(target, 90), 128)
	policy := eagle2(b, 64)
	var tree spec.Tree
	tree.Reset(1, 64, 64)
	draft.Start([]int32{1}, &tree)
	if err := policy.Grow(b.Context(), []int32{1}, &tree, draft); err != nil {
		b.Fatal(err)
	}
	var nodes []int
	hidden := make([]float32, tree.Len()*spectest.HashWidth)
	for node := range tree.Len() {
		nodes = append(nodes, node)
	}
	e := mustExit(b, Options{Predictors: []Predictor{&hashPredictor{target: target, layer: 1}}, Loss: 0.02})
	left := make([]int, len(nodes))
	pass := func() {
		copy(left, nodes)
		e.Begin(&tree, nil)
		if _, err := e.Prune(1, left, hidden); err != nil {
			b.Fatal(err)
		}
		e.Observe(spec.Observation{Tree: &tree, Path: []int{0}, Next: 1})
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
