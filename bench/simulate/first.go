package simulate

import (
	"context"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/spec"
)

// firstChains are the lengths of the chains that first answers are compared with.
var firstChains = []int{2, 4, 8, 16}

// first compares the first answers of policies that know nothing of models and device but what the prompt took, with those of the best of some
// chains for each set, chosen with hindsight.
func (s *simulation) first(ctx context.Context, out *report.Report) error {
	columns := []report.Column{report.Text("phone"), report.Text("target"), report.Number("tokens", 0)}
	for _, set := range s.pair.Sets {
		columns = append(columns, report.Number(set.Name, 2))
	}
	t := out.AddTable("first answers: tokens/s of lever ÷ best chain, in a new process", columns...)
	for _, phone := range s.Phones {
		for _, target := range s.Targets {
			h, err := target.on(phone)
			if err != nil {
				return err
			}
			for _, tokens := range s.First {
				row := []any{phone.Name, target.Name, float64(tokens)}
				for _, set := range s.pair.Sets {
					best := 0.0
					for _, n := range firstChains {
						rate, err := s.firstRate(ctx, h, set, policies.Variant{Policy: "chain", Budget: n}, tokens)
						if err != nil {
							return fmt.Errorf("%s, chain %d: %w", set.Name, n, err)
						}
						best = max(best, rate)
					}
					rate, err := s.firstRate(ctx, h, set, named("lever", budget), tokens)
					if err != nil {
						return fmt.Errorf("%s, lever: %w", set.Name, err)
					}
					row = append(row, rate/best)
				}
				t.Add(row...)
			}
		}
	}
	return nil
}

// firstRate returns the tokens per second of new policies' answers to the prompts of a set.
func (s *simulation) firstRate(ctx context.Context, h *hardware, set tracedSet, c policies.Variant, tokens int) (float64, error) {
	got, seconds := 0.0, 0.0
	for _, prompt := range set.Prompts {
		policy, err := lever.NewPolicy(c.Policy, c.Budget)
		if err != nil {
			return 0, err
		}
		draft := &countedDraft{Decoder: s.pair.draft}
		clock := newClock(policy, draft, h, 1)
		generator, err := spec.NewGenerator(spec.Options{
			Target: s.pair.target, Draft: draft, Policy: clock, Budget: c.Budget,
			Parallel: spec.Parallel{Mask: s.pair.Draft.Mask, Reach: s.pair.Draft.Positions},
		})
		if err != nil {
			return 0, err
		}
		// What the recorded models still hold of the prompt would hide what it takes.
		for _, m := range []spec.Decoder{s.pair.target, s.pair.draft} {
			if err := m.Truncate(0); err != nil {
				return 0, err
			}
		}
		r, err := generator.Generate(ctx, spec.Request{Prompt: prompt.Tokens, MaxTokens: tokens, StopTokens: s.pair.Stop}, nil)
		if err != nil {
			return 0, err
		}
		got, seconds = got+float64(len(r.Tokens)), seconds+clock.now
	}
	return got / seconds, nil
}
