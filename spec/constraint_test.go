package spec_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// table is a constraint with a few states, in some of which one token is forced.
type table struct {
	next [][]int // state, token
	mask [][]uint64
}

func newTable(seed uint64, states, vocab int) *table {
	random := rand.New(rand.NewPCG(seed, 2))
	c := &table{}
	for range states {
		next, mask := make([]int, vocab), make([]uint64, (vocab+63)/64)
		share := random.Float64()
		only := random.IntN(vocab)
		for token := range next {
			next[token] = -1
			if token == only || share > 0.4 && random.Float64() < share {
				next[token] = random.IntN(states)
				mask[token/64] |= 1 << (token % 64)
			}
		}
		c.next, c.mask = append(c.next, next), append(c.mask, mask)
	}
	return c
}

func (c *table) Next(state int, token int32) int { return c.next[state][token] }
func (c *table) Allowed(state int) []uint64      { return c.mask[state] }

// plainConstrained is the definition of constrained generation: plain decoding, with the logits of all tokens taken away that
// may not follow.
func plainConstrained(t rapid.TB, m *spectest.HashModel, req spec.Request, c *table) (tokens []int32, finish spec.Finish) {
	state := 0
	constrained := *m
	constrained.LogitsHook = func(logits []float32) {
		if len(tokens) > 0 {
			state = c.next[state][tokens[len(tokens)-1]]
		}
		for token := range logits {
			if c.next[state][token] < 0 {
				logits[token] = float32(math.Inf(-1))
			}
		}
	}
	return spectest.PlainInto(t, &constrained, req, &tokens)
}

// The output is that of plain constrained decoding, whatever the tree, and however often the constraint of the drafts fails.
func TestConstrainedEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		c := newTable(rapid.Uint64().Draw(t, "constraint"), rapid.IntRange(1, 6).Draw(t, "states"), target.VocabSize)
		tokens, finish := plainConstrained(t, target, req, c)
		failsAfter := rapid.SampledFrom([]int{math.MaxInt, 0, 1, 10, 100, 1000}).Draw(t, "failsAfter")
		req.Constraint = &limited{c, math.MaxInt, failsAfter}
		var told []int32
		req.Logits = func(token int32, logits []float32) {
			told = append(told, token)
			if logits != nil && math.IsInf(float64(logits[token]), -1) {
				t.Fatalf("token %d was picked and is not allowed", token)
			}
		}
		draft := spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
		draft.Positions = rapid.IntRange(1, 70).Draw(t, "draftContext")
		name := rapid.SampledFrom(lever.PolicyNames()).Draw(t, "policy")
		budget := rapid.IntRange(1, 20).Draw(t, "budget")
		passes := 0
		req.Observe = func(o spec.Observation) {
			passes++
			for node := 1; node < o.Tree.Len(); node++ {
				if o.Tree.State(node) < 0 && failsAfter == math.MaxInt {
					t.Fatalf("%s proposed token %d, which is not allowed", name, o.Tree.Tokens()[node])
				}
			}
		}
		g, err := spec.NewGenerator(spec.Options{
			Target: target, Draft: draft, Parallel: masked, Policy: mustPolicy(t, name, budget), Budget: budget,
			MaxBatch: rapid.IntRange(1, 20).Draw(t, "maxBatch"), ProjectTree: rapid.Bool().Draw(t, "projectTree"),
			FirstInPrefill: rapid.Bool().Draw(t, "firstInPrefill"),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			told, passes = nil, 0
			rows := target.Rows
			result, err := g.Generate(ctx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			spectest.CheckResult(t, result, tokens, finish)
			if !slices.Equal(told, tokens) {
				t.Fatalf("told of %v, generated %v", told, tokens)
			}
			s := result.Stats
			if s.Passes != passes || s.Forced > s.Tokens || s.Tokens > s.First+s.Forced+s.Passes+s.Verified {
				t.Fatalf("%d passes seen, stats %+v", passes, s)
			}
			if most := s.PromptTokens - s.ReusedTokens + s.First + s.Forced + s.Passes + s.Verified; target.Rows-rows > most {
				t.Fatalf("%d rows computed, at most %d are needed: %+v", target.Rows-rows, most, s)
			}
		}
	})
}

// Where all is forced, no pass is needed; where most is, few are.
func TestForcedTokensAreFree(t *testing.T) {
	target := spectest.NewHashModel(1, 10, 200)
	cycle := &table{}
	for state := range 5 {
		next, mask := slices.Repeat([]int{-1}, 10), uint64(1)<<(state+1)
		next[state+1] = (state + 1) % 5
		if state == 4 {
			next[7], next[8], mask = 0, 0, mask|1<<7|1<<8
		}
		cycle.next, cycle.mask = append(cycle.next, next), append(cycle.mask, []uint64{mask})
	}
	req := spec.Request{Prompt: []int32{0}, MaxTokens: 100, Constraint: cycle}
	result := spectest.Generate(t, spec.Options{Target: target}, req, nil)
	if s := result.Stats; s.Tokens != 100 || s.Passes != 20 || s.Forced != 80 {
		t.Errorf("%+v", s)
	}
	draft := spectest.NewDraftOf(target, 0)
	result = spectest.Generate(t, spec.Options{Target: target, Draft: draft, Policy: mustChain(t, 1, 0)}, req, nil)
	if s := result.Stats; s.Tokens != 100 || s.Passes != 10 {
		t.Errorf("with a draft of one token a pass: %+v", s)
	}
	cycle.mask[4], cycle.next[4] = []uint64{1 << 5}, slices.Concat(slices.Repeat([]int{-1}, 5), []int{0}, slices.Repeat([]int{-1}, 4))
	result = spectest.Generate(t, spec.Options{Target: target}, req, nil)
	if s := result.Stats; s.Tokens != 100 || s.Passes != 0 || result.Finish != spec.FinishLength {
		t.Errorf("%+v", s)
	}
}

// What is not allowed does not become a candidate, and no set remains of nothing else.
func TestCandidatesThatAreNotAllowed(t *testing.T) {
	c := &table{next: [][]int{{-1, 0, -1}}, mask: [][]uint64{{2}}}
	var tree spec.Tree
	tree.Reset(0, 4, 4)
	tree.Constrain(c, 0)
	if err := tree.Offer(0, spec.FromNGram, []int32{0, 2}, []float32{0.5, 0.4}); err != nil {
		t.Fatal(err)
	}
	if err := tree.Offer(0, spec.FromDraft, []int32{2, 1}, []float32{0.5, 0.4}); err != nil {
		t.Fatal(err)
	}
	if sets := tree.Sets(); len(sets) != 1 || !slices.Equal(sets[0].Tokens, []int32{1}) || sets[0].Probs[0] != 0.4 {
		t.Errorf("candidate sets %+v", sets)
	}
}

// limited is a constraint that fails after some questions, and that of drafts after others.
type limited struct {
	*table
	left, drafts int
}

var _ spec.FallibleConstraint = &limited{}

func (c *limited) Fresh() interface {
	Next(state int, token int32) int
	Allowed(state int) []uint64
	Err() error
} {
	return &limited{c.table, c.drafts, 0}
}

var errLimited = errors.New("asked too often")

func (c *limited) ask() bool { c.left--; return c.left >= 0 }

func (c *limited) Err() error {
	if c.left < 0 {
		return errLimited
	}
	return nil
}

func (c *limited) Next(state int, token int32) int {
	if !c.ask() {
		return -1
	}
	return c.table.Next(state, token)
}

func (c *limited) Allowed(state int) []uint64 {
	if !c.ask() {
		return []uint64{1}
	}
	return c.table.Allowed(state)
}

// Whenever a constraint fails, the generation ends with its error, and has only tokens that the constraint allowed.
func TestConstraintFailsInTheMiddle(t *testing.T) {
	target := spectest.NewHashModel(3, 10, 200)
	draft := spectest.NewDraftOf(target, 1)
	for _, options := range []spec.Options{{Target: target}, {Target: target, Draft: draft, Policy: mustChain(t, 3, 0)}} {
		generator, err := spec.NewGenerator(options)
		if err != nil {
			t.Fatal(err)
		}
		for left := range 200 {
			c := newTable(uint64(left), 6, 10)
			result, err := generator.Generate(t.Context(), spec.Request{Prompt: []int32{0}, MaxTokens: 100, Constraint: &limited{c, left, left % 7}}, nil)
			if !errors.Is(err, errLimited) || result.Finish != spec.FinishError {
				t.Fatalf("after %d questions: %v, %s", left, err, result.Finish)
			}
			state := 0
			for _, token := range result.Tokens {
				if state = c.Next(state, token); state < 0 {
					t.Fatalf("after %d questions: %v is not allowed", left, result.Tokens)
				}
			}
		}
	}
}
