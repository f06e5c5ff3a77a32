package spec_test

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/sampling"
)

// The joint distribution of the next three tokens over a vocabulary of five, 125 outcomes, is enumerated from the model and
// compared with the frequencies of generations that differ in their seed alone.
const (
	jointVocab  = 5
	jointTokens = 3
	jointRuns   = 20_000
)

var jointPrompt = []int32{2, 4}

func mustSampler(t *testing.T, o sampling.Options) *sampling.Sampler {
	t.Helper()
	sampler, err := sampling.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sampler
}

// enumerate returns the exact probability of each outcome, a number in base jointVocab.
func enumerate(t *testing.T, m *spectest.HashModel, s sampling.Options) []float64 {
	t.Helper()
	sampler := mustSampler(t, s)
	probs := make([]float64, 1)
	probs[0] = 1
	states := []uint64{1}
	for _, token := range jointPrompt {
		states[0] = spectest.Mix(states[0], uint64(token)+1)
	}
	logits := make([]float32, m.VocabSize)
	for range jointTokens {
		nextProbs, nextStates := make([]float64, len(probs)*m.VocabSize), make([]uint64, len(probs)*m.VocabSize)
		for i := range probs {
			for token := range m.VocabSize {
				nextStates[i*m.VocabSize+token] = spectest.Mix(states[i], uint64(token)+1)
			}
			m.Logits(logits, states[i])
			d, err := sampler.Distribution(logits)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range d {
				nextProbs[i*m.VocabSize+int(c.Token)] = probs[i] * float64(c.Weight)
			}
		}
		probs, states = nextProbs, nextStates
	}
	return probs
}

func outcome(tokens []int32) int {
	number := 0
	for _, token := range tokens {
		number = number*jointVocab + int(token)
	}
	return number
}

// chiSquare returns the probability of counts at least this far from probs. Outcomes expected less than ten times count as
// one; one that can't happen and did gives 0.
func chiSquare(counts []int, probs []float64) float64 {
	runs := 0
	for _, n := range counts {
		runs += n
	}
	statistic, cells := 0.0, 0
	add := func(count, expected float64) {
		statistic += (count - expected) * (count - expected) / expected
		cells++
	}
	rareCount, rareExpected := 0.0, 0.0
	for i, p := range probs {
		count, expected := float64(counts[i]), p*float64(runs)
		switch {
		case p == 0 && count > 0:
			return 0
		case expected >= 10:
			add(count, expected)
		default:
			rareCount += count
			rareExpected += expected
		}
	}
	if rareExpected > 0 {
		add(rareCount, rareExpected)
	}
	return distuv.ChiSquared{K: float64(cells - 1)}.Survival(statistic)
}

func jointModel() *spectest.HashModel {
	m := spectest.NewHashModel(11, jointVocab, 32)
	m.Levels = 48 // logits from 0 to 3
	return m
}

var jointSamplings = []sampling.Options{
	{Temperature: 1},
	{Temperature: 1.4, TopK: 4},
	{Temperature: 0.7, TopP: 0.9, MinP: 0.05},
}

// jointCounts counts the outcomes of generations with seeds from seed on, and how many tokens of them were accepted drafts.
func jointCounts(t *testing.T, o spec.Options, sampling sampling.Options, seed uint64) (counts []int, accepted int) {
	t.Helper()
	g, err := spec.NewGenerator(o)
	if err != nil {
		t.Fatal(err)
	}
	counts = make([]int, jointVocab*jointVocab*jointVocab)
	for i := range uint64(jointRuns) {
		sampling.Seed = seed + i
		// One token more than is counted, so that drafts are as long for the last as for the first.
		result, err := g.Generate(ctx, spec.Request{Prompt: jointPrompt, MaxTokens: jointTokens + 1, Sampling: sampling}, nil)
		if err != nil {
			t.Fatal(err)
		}
		counts[outcome(result.Tokens[:jointTokens])]++
		accepted += result.Stats.Tokens - result.Stats.Passes
	}
	return counts, accepted
}

func mustSpecInfer(t *testing.T, draw spec.Draw, widths ...int) spec.Policy {
	t.Helper()
	p, err := baseline.NewSpecInfer(baseline.SpecInferOptions{Widths: widths, Draw: draw})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSampledDistributionIsTheTargets(t *testing.T) {
	target := jointModel()
	bushy := &spectest.TreePolicy{Oracle: target, Shape: []byte("\x17anything that gives bushy trees\x09 of many shapes\x12")}
	policies := []struct {
		name     string
		policy   spec.Policy
		noise    uint64 // of the draft
		maxNodes int
		pruner   spec.Pruner
	}{
		{"none", spec.None{}, 80, 0, nil},
		{"chain", mustChain(t, 3, 0), 80, 0, nil},
		{"short chain", mustChain(t, 1, 0.3), 20, 0, nil},
		{"tree", bushy, 80, 0, nil},
		{"pruned tree", bushy, 80, 0, chancePruner{0.2}},
		{"most probable", mustSpecInfer(t, spec.MostProbable, 2, 2, 1), 256, 0, nil},
		{"with replacement", mustSpecInfer(t, spec.WithReplacement, 3, 2, 1), 256, 0, nil},
		{"with replacement, a pruner at hand", mustSpecInfer(t, spec.WithReplacement, 3, 2, 1), 256, 0, chancePruner{0.7}},
		{"with replacement, little room", mustSpecInfer(t, spec.WithReplacement, 3, 4, 2), 200, 4, nil},
		{"without replacement", mustSpecInfer(t, spec.WithoutReplacement, 3, 2, 1), 256, 0, nil},
		{"without replacement, all tokens", mustSpecInfer(t, spec.WithoutReplacement, 5, 1), 256, 0, nil},
		{"without replacement, little room", mustSpecInfer(t, spec.WithoutReplacement, 2, 4, 2), 200, 5, nil},
	}
	seed := uint64(1)
	for _, sampling := range jointSamplings {
		probs := enumerate(t, target, sampling)
		for _, c := range policies {
			o := spec.Options{Target: target, Draft: spectest.NewDraftOf(target, c.noise), Policy: c.policy, Budget: c.maxNodes, Pruner: c.pruner}
			counts, accepted := jointCounts(t, o, sampling, seed)
			seed += jointRuns
			if p := chiSquare(counts, probs); p <= 0.001 {
				t.Errorf("%s, %+v: p = %.2g", c.name, sampling, p)
			} else {
				t.Logf("%s, %+v: p = %.3f, %.2f tokens accepted per generation", c.name, sampling, p, float64(accepted)/jointRuns)
			}
			if c.name != "none" && accepted < jointRuns/10 {
				t.Errorf("%s, %+v: only %d tokens were accepted", c.name, sampling, accepted)
			}
		}
	}
}

// misdeclared changes the candidate sets of a policy after they were made.
type misdeclared struct {
	spec.Policy
	change func(tree *spec.Tree, set *spec.CandidateSet)
}

func (m misdeclared) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	if err := m.Policy.Grow(ctx, sequence, tree, draft); err != nil {
		return err
	}
	sets := tree.Sets()
	for i := range sets {
		m.change(tree, &sets[i])
	}
	return nil
}

// Drawn candidates that are verified by any rule but their own change the distribution, and the test sees it.
func TestChiSquareCatchesWrongDraws(t *testing.T) {
	target := jointModel()
	options := sampling.Options{Temperature: 1}
	probs := enumerate(t, target, options)
	fromDraft := func(set *spec.CandidateSet) {
		for i, token := range set.Tokens {
			set.DrawnFrom(sampling.TokenWeight{Token: token, Weight: set.Probs[i]})
		}
	}
	for name, policy := range map[string]misdeclared{
		"with replacement as without": {mustSpecInfer(t, spec.WithReplacement, 3, 2, 1), func(_ *spec.Tree, set *spec.CandidateSet) { set.Draw = spec.WithoutReplacement }},
		"without replacement as with": {mustSpecInfer(t, spec.WithoutReplacement, 3, 2, 1), func(_ *spec.Tree, set *spec.CandidateSet) { set.Draw = spec.WithReplacement }},
		"most probable as drawn": {mustSpecInfer(t, spec.MostProbable, 1, 1, 1), func(_ *spec.Tree, set *spec.CandidateSet) {
			fromDraft(set)
			set.Draw = spec.WithReplacement
		}},
		"in order of probability": {mustSpecInfer(t, spec.WithoutReplacement, 3, 2, 1), func(tree *spec.Tree, set *spec.CandidateSet) {
			probs := tree.Probs()
			slices.SortFunc(set.Tokens, func(a, b int32) int {
				return cmp.Compare(probs[tree.Child(set.Node, b)], probs[tree.Child(set.Node, a)])
			})
		}},
	} {
		o := spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 256), Policy: policy}
		counts, _ := jointCounts(t, o, options, 1<<40)
		if p := chiSquare(counts, probs); p > 0.001 {
			t.Errorf("%s: p = %.2g", name, p)
		}
	}
}

// The same test on rules that are wrong, so that it is known to have the power to tell. All draft the draft model's most
// probable token x and draw from the target's p and the draft's q.
func TestChiSquareCatchesWrongAcceptance(t *testing.T) {
	target := jointModel()
	draft := spectest.NewDraftOf(target, 80)
	options := sampling.Options{Temperature: 1}
	probs := enumerate(t, target, options)
	p, q := make([]float64, jointVocab), make([]float64, jointVocab)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(weights []float64) int32 {
		total := 0.0
		for _, w := range weights {
			total += w
		}
		goal := random.Float64() * total
		for i, w := range weights {
			if goal -= w; goal < 0 {
				return int32(i)
			}
		}
		return int32(len(weights) - 1)
	}
	distribution := func(m *spectest.HashModel, state uint64, dst []float64) (most int32) {
		logits := make([]float32, jointVocab)
		m.Logits(logits, state)
		d, err := mustSampler(t, options).Distribution(logits)
		if err != nil {
			t.Fatal(err)
		}
		clear(dst)
		for _, c := range d {
			dst[c.Token] = float64(c.Weight)
			if dst[c.Token] > dst[most] {
				most = c.Token
			}
		}
		return most
	}
	rules := map[string]func(x int32) int32{
		// The rule for a token that was drawn from q, applied to one that was not.
		"ratio": func(x int32) int32 {
			if random.Float64()*q[x] < p[x] {
				return x
			}
			for i := range p {
				p[i] = max(0, p[i]-q[i])
			}
			return pick(p)
		},
		// A rejected token is drawn again from all of p, itself included.
		"no residual": func(x int32) int32 {
			if random.Float64() < p[x] {
				return x
			}
			return pick(p)
		},
		"right": func(x int32) int32 {
			if random.Float64() < p[x] {
				return x
			}
			p[x] = 0
			return pick(p)
		},
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[name]
		counts := make([]int, len(probs))
		for range jointRuns {
			state := uint64(1)
			for _, token := range jointPrompt {
				state = spectest.Mix(state, uint64(token)+1)
			}
			var tokens []int32
			for range jointTokens {
				distribution(target, state, p)
				token := rule(distribution(draft, state, q))
				tokens = append(tokens, token)
				state = spectest.Mix(state, uint64(token)+1)
			}
			counts[outcome(tokens)]++
		}
		if p := chiSquare(counts, probs); (p > 0.001) != (name == "right") {
			t.Errorf("%s: p = %.2g", name, p)
		}
	}
}
