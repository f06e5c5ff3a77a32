package gaincost

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
)

func mustLever(t testing.TB, o LeverOptions) *Lever {
	t.Helper()
	l, err := NewLever(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fixed returns a policy that does not learn what passes cost.
func fixed(t testing.TB, name string, budget int) (policy spec.Policy) {
	t.Helper()
	var err error
	switch name {
	case "chain":
		policy, err = baseline.NewChain(budget, 0)
	case "specinfer":
		policy, err = baseline.NewSpecInfer(baseline.SpecInferOptions{Widths: baseline.SpecInferWidths(budget)})
	case "sequoia":
		policy, err = baseline.NewSequoia(baseline.SequoiaOptions{Budget: budget})
	case "opttree":
		policy, err = baseline.NewOPTTree(baseline.OPTTreeOptions{Budget: budget})
	case "eagle2":
		policy, err = baseline.NewEAGLE2(baseline.EAGLE2Options{Budget: budget})
	default:
		t.Fatalf("no policy %q", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// line is a curve that rises by more for each row.
func line(one, more float64) Curve {
	return Curve{Points: []Point{{1, one}, {65, one + 64*more}}}
}

// world is a world whose times are curves, which a profile can tell.
type world struct {
	spectest.World
	compute, draft Curve
}

func (w *world) run(t testing.TB, policy spec.Policy, passes, maxNodes int) spectest.WorldResult {
	return w.shared(t, []spec.Policy{policy}, passes, maxNodes)
}

func (w *world) shared(t testing.TB, policies []spec.Policy, passes, maxNodes int) spectest.WorldResult {
	w.Compute, w.Draft = w.compute.At, w.draft.At
	return w.RunShared(t, policies, passes, maxNodes)
}

// costs is what an exact profile of the world says.
func (w *world) costs() Costs {
	c := Costs{Ring: w.Ring, Compute: w.compute, Draft: w.draft, Project: w.Project}
	mean := w.Read / float64(w.Layers)
	read := Latency{Mean: mean}
	if w.Tail > 0 { // a stall takes w.Read
		p := w.Tail
		read = Latency{mean + p*w.Read, w.Read * math.Sqrt(p*(1-p)), (1 - 2*p) / math.Sqrt(p*(1-p))}
	}
	for range w.Layers {
		c.Layers = append(c.Layers, LayerCost{Read: read})
	}
	return c
}

// outOfSight is how right a draft is that does not even have the target's token among its candidates.
const outOfSight = spectest.OutOfSight

func never(float64, int) float64    { return 0 }
func half(p float64, _ int) float64 { return p / 2 }
func stretches(p float64, at int) float64 { // right and wrong by turns
	if at/300%2 == 0 {
		return 0
	}
	return p
}

// phone is an 8B model in Q4_0 that is read from UFS 4.0, with a draft model of 1B on the CPU.
func phone(seed uint64) *world {
	return &world{
		World:   spectest.World{Seed: seed, Sure: [2]float64{0.3, 1}, Layers: 32, Ring: 4, Read: 1.2, Noise: 0.05, Project: 0.005},
		compute: line(0.15, 0.02), draft: line(0.03, 0.002),
	}
}

func change(w *world, change func(w *world)) *world {
	change(w)
	return w
}

// sparse is a phone whose target has experts: a row reads 100 of them, 3 ms each, and another the given part of that, siblings half more.
func sparse(seed uint64, more float64) *world {
	return change(phone(seed), func(w *world) {
		w.Read, w.compute, w.draft, w.Expert = 0, line(0.15, 0.01), line(0.01, 0.001), 0.003
		w.Cold = func(before int, sibling bool) float64 {
			switch {
			case before == 0:
				return 100
			case sibling:
				return 150 * more
			}
			return 100 * more
		}
	})
}

// Worlds in which speculation pays, and how many times as fast as plain decoding the policy is at least.
var friendly = []struct {
	name  string
	world *world
	least float64
}{
	{"flash", phone(1), 3.7},
	{"fast draft", change(phone(2), func(w *world) { w.draft, w.compute = line(0.005, 0.0005), line(0.15, 0.01) }), 4.6},
	{"slow reads now and then", change(phone(3), func(w *world) { w.Read, w.Tail = 0.6, 0.02 }), 2.9},
	{"NPU", change(phone(4), func(w *world) {
		w.Read, w.compute = 0.5, Curve{[]Point{{1, 0.2}, {8, 0.3}, {16, 0.45}, {32, 0.8}, {64, 1.5}}, true}
	}), 2.7},
	{"in memory", change(phone(5), func(w *world) { w.Read, w.compute, w.draft, w.Project = 0, line(0.010, 0.003), line(0.001, 0.0004), 0 }), 1.08},
	{"in memory, wide", change(phone(6), func(w *world) { w.Read, w.compute, w.draft, w.Project = 0, line(0.010, 0.0003), line(0.001, 0.0001), 0 }), 1.6},
	{"unsure draft", change(phone(7), func(w *world) { w.Sure = [2]float64{0.1, 0.6} }), 2.7},
	{"boastful draft", change(phone(8), func(w *world) { w.Right = func(p float64, _ int) float64 { return 0.6 * p } }), 2.8},
	{"right in stretches", change(phone(9), func(w *world) { w.Right = stretches }), 2.5},
	{"experts that rows share", sparse(10, 0.2), 1.4},
	{"experts that rows share in part", sparse(11, 0.5), 1.1},
}

// With and without a profile, Lever comes up to the best of all fixed trees of all sizes, chosen with hindsight, and its
// predictions hold.
func TestLeverAgainstFixedTrees(t *testing.T) {
	passes := 400
	if testing.Short() {
		passes = 150
	}
	ratios := []float64{}
	for _, c := range friendly {
		w := c.world
		plain := w.run(t, spec.None{}, passes, 64).Rate()
		best, bestName, chain := 0.0, "", 0.0
		for _, name := range []string{"chain", "specinfer", "sequoia", "opttree", "eagle2"} {
			for _, budget := range []int{1, 2, 4, 8, 16, 32, 64} {
				if name == "chain" && budget > 16 {
					continue
				}
				rate := w.run(t, fixed(t, name, budget), passes, 64).Rate()
				if rate > best {
					best, bestName = rate, fmt.Sprintf("%s of %d", name, budget)
				}
				if name == "chain" {
					chain = max(chain, rate)
				}
			}
		}
		for _, profile := range []bool{true, false} {
			var o LeverOptions
			if profile {
				o.Costs = w.costs()
			}
			r := w.run(t, mustLever(t, o), passes, 64)
			accepted, timeError := predicted(r)
			t.Logf("%s, profile %v: %.2f times plain; best chain %.2f, best other %.2f (%s); %.2f tokens a pass, predicted %.2f; time of a pass off by %.1f %%",
				c.name, profile, r.Rate()/plain, chain/plain, best/plain, bestName, float64(r.Tokens)/float64(passes), accepted, 100*timeError)
			if !testing.Short() && (r.Rate() < c.least*plain || r.Rate() < 0.93*best) {
				t.Errorf("%s, profile %v: %.2f times as fast as plain decoding, want %.2f and %.2f", c.name, profile, r.Rate()/plain, c.least, 0.93*best/plain)
			}
			if off := math.Abs(accepted*float64(passes)/float64(r.Tokens) - 1); off > 0.1 && !testing.Short() {
				t.Errorf("%s, profile %v: predicted %.2f tokens a pass, %.2f were accepted", c.name, profile, accepted, float64(r.Tokens)/float64(passes))
			}
			if timeError > 0.1 && w.Tail == 0 {
				t.Errorf("%s, profile %v: time of a pass off by %.1f %%", c.name, profile, 100*timeError)
			}
			if profile {
				ratios = append(ratios, r.Rate()/best)
			}
		}
	}
	mean := 0.0
	for _, r := range ratios {
		mean += math.Log(r) / float64(len(ratios))
	}
	t.Logf("with a profile, %.3f times the best fixed tree in the geometric mean", math.Exp(mean))
}

// A draft that is right more, or less, often than it thinks misleads predictions for a few passes only.
func TestLeverCorrectsWhatItExpects(t *testing.T) {
	for name, right := range map[string]func(p float64, position int) float64{
		"modest": func(p float64, _ int) float64 { return math.Sqrt(p) },
		"vain":   func(p float64, _ int) float64 { return p * p },
	} {
		expected, tokens := 0.0, 0
		for seed := range uint64(8) {
			w := &world{World: spectest.World{Seed: seed, Sure: [2]float64{0.3, 1}, Right: right, Layers: 32, Ring: 4, Read: 1}, compute: line(0.1, 0.001), draft: line(0.002, 0.0005)}
			r := w.run(t, mustLever(t, LeverOptions{Costs: w.costs()}), 60, 64)
			for _, pass := range r.PerPass[10:] {
				expected, tokens = expected+pass.PredictedTokens, tokens+pass.Tokens
			}
		}
		if ratio := expected / float64(tokens); math.Abs(ratio-1) > 0.05 {
			t.Errorf("a %s draft: predicted %.2f of the tokens that came", name, ratio)
		} else {
			t.Logf("a %s draft: predicted %.2f of the tokens that came", name, ratio)
		}
	}
}

// predicted returns the mean of the predicted tokens, and the median error of the predicted seconds.
func predicted(r spectest.WorldResult) (tokens, timeError float64) {
	var errors []float64
	for _, p := range r.PerPass {
		tokens += p.PredictedTokens / float64(len(r.PerPass))
		if p.PredictedSeconds > 0 {
			errors = append(errors, math.Abs(p.PredictedSeconds/p.Seconds-1))
		}
	}
	slices.Sort(errors)
	return tokens, errors[len(errors)/2]
}

// Where speculation cannot win, Lever loses next to nothing, whatever a profile says.
func TestLeverIsNeverSlowerThanPlain(t *testing.T) {
	small := func(right func(float64, int) float64, compute, draft Curve) *world {
		return &world{World: spectest.World{Sure: [2]float64{0.3, 1}, Right: right, Layers: 16, Ring: 2, Noise: 0.1}, compute: compute, draft: draft}
	}
	lies := (&world{World: spectest.World{Layers: 32, Ring: 4, Read: 0.01}, compute: line(0.15, 0.0001), draft: line(0.0005, 0.0001)}).costs()
	for _, c := range []struct {
		name  string
		world *world
	}{
		{"never right, rows dear", small(never, line(0.01, 0.01), line(0.01, 0.001))},
		{"never right, draft dear", small(never, line(0.01, 0.001), line(0.01, 0.005))},
		{"never right", small(never, line(0.01, 0.001), line(0.002, 0.0005))},
		{"out of sight", small(func(float64, int) float64 { return outOfSight }, line(0.01, 0.001), line(0.002, 0.0005))},
		{"half right, rows dear", small(half, line(0.01, 0.008), line(0.002, 0.0005))},
		{"half right, marginal", small(half, line(0.01, 0.003), line(0.002, 0.0005))},
		{"half right, steps", small(half, Curve{[]Point{{1, 0.01}, {8, 0.03}, {64, 0.2}}, true}, line(0.004, 0.001))},
		{"right in stretches, rows dear", small(stretches, line(0.01, 0.006), line(0.004, 0.001))},
		{"never right, flash", change(small(never, line(0.9, 0.1), line(0.2, 0.05)), func(w *world) { w.Read = 1 })},
		{"half right, cold experts", change(sparse(0, 1), func(w *world) { w.Right = half })},
		{"right, experts as cold as alone", sparse(0, 1)},
		{"half right, flash with stalls", change(small(half, line(0.9, 0.3), line(0.2, 0.05)), func(w *world) { w.Read, w.Tail = 1, 0.05 })},
	} {
		for name, costs := range map[string]Costs{"no": {}, "a true": c.world.costs(), "a wrong": lies} {
			worst := math.Inf(1)
			for seed := range uint64(4) {
				c.world.Seed = seed
				plain := c.world.run(t, spec.None{}, 2000, 64)
				worst = min(worst, c.world.run(t, mustLever(t, LeverOptions{Costs: costs}), 500, 64).Rate()/plain.Rate())
			}
			if worst < 0.98 {
				t.Errorf("%s, %s profile: %.3f times plain decoding", c.name, name, worst)
			}
			t.Logf("%s, %s profile: at least %.3f times plain decoding", c.name, name, worst)
		}
	}
}

// Over a target with experts, texts on which trees pay much follow others on which they hardly pay, while passes take 15 % more or less by chance and the
// machine is slower or faster from text to text. Of the former, the first tokens come faster already; of the latter, next to nothing is lost.
func TestLeverOverExpertsFromTextToText(t *testing.T) {
	const texts, seeds = 6, 8
	quick, steady := 0.0, 0.0 // logarithms of rates relative to plain decoding
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 5))
		pace := make([]float64, 128)
		policy := mustLever(t, LeverOptions{})
		for text := range uint64(texts) {
			w := sparse(texts*seed+text, 1)
			w.Sure, w.draft = [2]float64{0.2, 0.7}, line(0.04, 0.004)
			tokens, sum := 96, &steady
			if text%2 == 1 {
				w = sparse(texts*seed+text, 0.1)
				w.Sure = [2]float64{0.95, 1}
				tokens, sum = 32, &quick
			}
			slow := math.Exp(0.6*random.Float64() - 0.3)
			for i := range pace {
				pace[i] = slow * (0.85 + 0.3*random.Float64())
			}
			w.Pace = func(pass int) float64 { return pace[pass] }
			plain := firstRate(w.run(t, spec.None{}, tokens, 64), tokens)
			*sum += math.Log(firstRate(w.run(t, policy, tokens, 64), tokens)/plain) / (texts / 2 * seeds)
		}
	}
	quick, steady = math.Exp(quick), math.Exp(steady)
	if quick < 2.2 || steady < 0.98 {
		t.Errorf("%.2f times plain decoding where trees pay, %.3f times where they don't", quick, steady)
	}
	t.Logf("%.2f times plain decoding where trees pay, %.3f times where they don't", quick, steady)
}

// A draft model that was wrong for long is asked again once it is right.
func TestLeverComesBack(t *testing.T) {
	const turn = 600
	w := phone(3)
	w.Right = func(p float64, at int) float64 {
		if at < turn {
			return outOfSight
		}
		return p
	}
	w.Read, w.compute, w.draft = 0, line(0.15, 0.02), line(0.02, 0.0005)
	r := w.run(t, mustLever(t, LeverOptions{}), 1200, 64)
	at, before, after := spectest.WorldPrompt, 0, 0
	for _, p := range r.PerPass {
		switch {
		case at < turn && at > turn/2:
			before += p.Rows - 1
		case at > turn+400:
			after += p.Rows - 1
		}
		at += p.Tokens
	}
	if before > 20 || after < 200 {
		t.Errorf("%d nodes while the draft was wrong, %d after it had become right", before, after)
	}
	t.Logf("%d nodes while the draft was wrong, %d after it had become right", before, after)
}

// grown is a generation's tree, grown again and again.
type grown struct {
	policy   spec.Policy
	model    spec.Decoder
	draft    *spec.Draft
	tree     spec.Tree
	sequence []int32
	path     []int
	seconds  float64
}

func newGrown(t testing.TB, policy spec.Policy, model spec.Decoder) *grown {
	t.Helper()
	draft := spec.NewDraft(model, 128)
	g := &grown{policy: policy, model: model, draft: draft, sequence: make([]int32, 0, 1<<16), path: []int{0}, seconds: 0.15}
	g.sequence = append(g.sequence, 1)
	return g
}

// pass grows a tree of which the first two levels are accepted.
func (g *grown) pass(t testing.TB) {
	if len(g.sequence)+8 > cap(g.sequence) {
		g.sequence = g.sequence[:1]
		if err := g.model.Truncate(0); err != nil {
			t.Fatal(err)
		}
	}
	g.tree.Reset(g.sequence[len(g.sequence)-1], 64, 64)
	g.draft.Start(g.sequence, &g.tree)
	if err := g.policy.Grow(context.Background(), g.sequence, &g.tree, g.draft); err != nil {
		t.Fatal(err)
	}
	g.path = append(g.path[:0], 0)
	for range 3 {
		for child := range g.tree.Children(g.path[len(g.path)-1]) {
			g.path = append(g.path, child)
			g.sequence = append(g.sequence, g.tree.Tokens()[child])
			break
		}
	}
	next := int32(len(g.sequence) % 7)
	g.sequence = append(g.sequence, next)
	if err := g.draft.Settle(g.path); err != nil {
		t.Fatal(err)
	}
	if o, ok := g.policy.(spec.Observer); ok {
		o.Observe(spec.Observation{
			Tree: &g.tree, Path: g.path, Next: next, DraftSeconds: 0.01 * g.seconds, VerifySeconds: g.seconds,
			IO: spec.IOStats{BytesRead: 1, IOSeconds: 0.9 * g.seconds, IOWaitSeconds: 0.7 * g.seconds},
		})
	}
}

func TestLeverDoesNotAllocate(t *testing.T) {
	for name, policy := range map[string]spec.Policy{
		"lever": mustLever(t, LeverOptions{Budget: 64}), "lever ahead": mustLever(t, LeverOptions{Budget: 64}), "ngram": mustNGram(t, 64),
	} {
		g := newGrown(t, policy, spectest.NewFreeModel(200))
		if name == "lever ahead" {
			g.draft.SetParallel(spec.Parallel{Mask: 7, Reach: 6})
		}
		for range 600 {
			g.pass(t)
		}
		if n := testing.AllocsPerRun(300, func() { g.pass(t) }); n != 0 {
			t.Errorf("%s: %v allocations per pass", name, n)
		}
	}
}

// Candidates of masks count until the draft model is asked itself, by how far ahead they are, and with look-up that has them too.
func TestEstimatesOfMasks(t *testing.T) {
	draft, tree := spectest.StartDraft(t, spectest.NewHashModel(3, 30, 100), []int32{4, 5, 6})
	draft.SetParallel(spec.Parallel{Mask: 29, Reach: 3})
	a, err := tree.Add(0, 7, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if err := draft.ExpandAhead(t.Context(), []int{0}, 3, 3); err != nil {
		t.Fatal(err)
	}
	if !draft.OfferAhead(a) {
		t.Fatal("nothing is offered")
	}
	masked, _ := tree.Set(a, spec.FromMasks)
	if err := tree.Offer(a, spec.FromNGram, []int32{28, masked.Tokens[1]}, []float32{0.3, 0.2}); err != nil {
		t.Fatal(err)
	}
	looked, _ := tree.Set(a, spec.FromNGram)
	var e Estimator
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	p := func(rank int) float64 { return float64(masked.Probs[rank]) }
	near("a mask's candidate", e.Estimate(tree, &masked, 0), p(0))
	near("one that look-up has too", e.Estimate(tree, &masked, 1), 1-(1-p(1))*(1-float64(looked.Probs[1])))
	near("the same of look-up", e.Estimate(tree, &looked, 1), 0)
	near("one that look-up has alone", e.Estimate(tree, &looked, 0), float64(looked.Probs[0]))
	if err := draft.Expand(t.Context(), []int{a}, 3); err != nil {
		t.Fatal(err)
	}
	near("a mask's candidate where the draft was asked", e.Estimate(tree, &masked, 0), 0)
}

// What a tree of 64 takes beside the draft model's work, and learning from it: at most a hundredth of a pass.
func BenchmarkLeverTree(b *testing.B) {
	for _, streamed := range []bool{true, false} {
		b.Run(fmt.Sprintf("streamed=%v", streamed), func(b *testing.B) {
			w := phone(1)
			if !streamed {
				w.Read, w.compute = 0, line(0.15, 0.0001)
			}
			g := newGrown(b, mustLever(b, LeverOptions{Costs: w.costs()}), spectest.NewFreeModel(32))
			for range 300 {
				g.pass(b)
			}
			nodes, passes := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				g.pass(b)
				nodes += g.tree.Len() - 1
				passes++
			}
			b.ReportMetric(float64(nodes)/float64(passes), "nodes")
		})
	}
}

func BenchmarkCostModel(b *testing.B) {
	w := phone(1)
	w.Tail = 0.02
	m, err := NewCostModel(w.costs(), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("new", func(b *testing.B) { // for a number of rows that was not asked for since the latest pass
		for b.Loop() {
			clear(m.table)
			m.Pass(20, 0.1, 3)
		}
	})
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			m.Pass(20, 0.1, 3)
		}
	})
}

func TestLeverErrors(t *testing.T) {
	for name, o := range map[string]LeverOptions{
		"candidates": {Candidates: -1},
		"nodes":      {Budget: -1},
		"quantile":   {Quantile: 1},
		"lookup":     {Lookup: LookupOptions{Window: -1}},
		"ring":       {Costs: Costs{Ring: -1}},
		"read":       {Costs: Costs{Layers: []LayerCost{{Read: Latency{Mean: math.NaN()}}}}},
		"share":      {Costs: Costs{Layers: []LayerCost{{Share: math.Inf(1)}}}},
		"compute":    {Costs: Costs{Compute: Curve{Points: []Point{{2, 1}, {2, 1}}}}},
		"draft":      {Costs: Costs{Draft: Curve{Points: []Point{{1, -1}}}}},
	} {
		if _, err := NewLever(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func ExampleNewLever() {
	// What a profile of the device says of a model of 32 layers, in seconds.
	costs := Costs{
		Ring:    4,
		Compute: Curve{Points: []Point{{1, 0.15}, {16, 0.40}, {64, 1.40}}},
		Draft:   Curve{Points: []Point{{1, 0.03}, {16, 0.06}}},
		Project: 0.005,
	}
	for range 32 {
		costs.Layers = append(costs.Layers, LayerCost{Read: Latency{Mean: 0.04, Deviation: 0.004}})
	}
	policy, err := NewLever(LeverOptions{Costs: costs})
	if err != nil {
		fmt.Println(err)
		return
	}
	target := spectest.NewHashModel(7, 26, 128) // stands for a *layers.Decoder
	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 50), Policy: policy})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := g.Generate(context.Background(), spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 24, TextDecoder: spectest.Letters{}}, nil)
	fmt.Println(result.Text, result.Finish, err)
	// Output:
	// xlgggrishmcjjgjgktxuzucx length <nil>
}

func ExampleCostModel() {
	costs := Costs{Ring: 4, Compute: Curve{Points: []Point{{1, 0.1}, {33, 0.9}}}}
	for range 32 {
		costs.Layers = append(costs.Layers, LayerCost{Read: Latency{Mean: 0.02}})
	}
	model, err := NewCostModel(costs, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rows := range []int{1, 9, 17, 33} {
		fmt.Printf("%d rows: %.2f s, after a draft of 0.2 s: %.2f s\n", rows, model.Pass(rows, 0, 1), model.Pass(rows, 0.2, 1))
	}
	// Output:
	// 1 rows: 0.64 s, after a draft of 0.2 s: 0.77 s
	// 9 rows: 0.64 s, after a draft of 0.2 s: 0.78 s
	// 17 rows: 0.64 s, after a draft of 0.2 s: 0.79 s
	// 33 rows: 0.90 s, after a draft of 0.2 s: 1.10 s
}

// Several texts that share passes get about as much together as with the best fixed trees of all sizes, the same for each of them, chosen with
// hindsight. Each is blind to the step of a padded batch that all of them reach.
func TestLeverSharesPasses(t *testing.T) {
	const passes = 200
	for _, c := range friendly[:9] { // without experts
		least := 0.9
		if c.world.compute.Padded {
			least = 0.75
		}
		for _, texts := range []int{2, 8} {
			most := 128/texts - 1
			together := func(policy func() spec.Policy) float64 {
				var policies []spec.Policy
				for range texts {
					policies = append(policies, policy())
				}
				return c.world.shared(t, policies, passes, most).Rate()
			}
			best := 0.0
			for _, nodes := range []int{1, 2, 4, 8, 12, 24} {
				if nodes <= most {
					best = max(best, together(func() spec.Policy { return fixed(t, "sequoia", nodes) }))
				}
			}
			for _, costs := range []Costs{{}, c.world.costs()} {
				if rate := together(func() spec.Policy { return mustLever(t, LeverOptions{Costs: costs}) }); rate < least*best {
					t.Errorf("%s, %d texts, profile %t: %.2f tokens/s, fixed trees up to %.2f", c.name, texts, len(costs.Layers) > 0, rate, best)
				}
			}
		}
	}
}
