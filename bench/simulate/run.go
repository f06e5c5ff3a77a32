package simulate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/spec"
)

// Options say what [Run] simulates. Model, Draft and Sets must be set.
type Options struct {
	Model, Draft string // the pair that acceptance comes from
	Sets         []bench.Set
	Prompts      int      // of each set; 0: 2
	Tokens       int      // of an answer; 0: 64
	WarmTokens   int      // generated beforehand by policies that learn; 0: 96
	Devices      []Device // nil: Devices
	Targets      []Target // nil: Targets
	// Progress is told of figures done; nil: nobody is.
	Progress func(done, total int)
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Model == "" || o.Draft == "":
		return o, errors.New("simulate: a target and a draft model are needed")
	case len(o.Sets) == 0:
		return o, errors.New("simulate: no prompts")
	case min(o.Prompts, o.Tokens, o.WarmTokens) < 0:
		return o, errors.New("simulate: a negative option")
	}
	if o.Prompts == 0 {
		o.Prompts = 2
	}
	if o.Tokens == 0 {
		o.Tokens = 64
	}
	if o.WarmTokens == 0 {
		o.WarmTokens = 96
	}
	if o.Devices == nil {
		o.Devices = Devices
	}
	if o.Targets == nil {
		o.Targets = Targets
	}
	return o, nil
}

const (
	keptTokens = 32 // of the draft after each path: more than any policy asks for
	budget     = 64 // drafted tokens of a pass
)

// simulation is a pair, recorded, and what it is asked.
type simulation struct {
	Options
	target, draft *Recording
	stop          []int32
	prompts       map[string][][]int32 // by set
	warm          map[string][]int32
}

// Run makes all figures. The first run over a text asks the models for each path; it takes a few minutes in all.
func Run(ctx context.Context, o Options) (r *report.Report, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Draft: o.Draft})
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	models := engine.SpecOptions()
	s := &simulation{Options: o, target: NewRecording(models.Target, 1), draft: NewRecording(models.Draft, keptTokens), stop: engine.Tokenizer().EOS()}
	if err := s.encode(engine); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	out := report.New("simulate", "The paper's figures, simulated")
	began := time.Now()
	out.Set("acceptance of", filepath.Base(o.Model)+" with "+filepath.Base(o.Draft))
	out.Set("prompts per set", o.Prompts)
	out.Set("tokens of an answer", o.Tokens)
	for _, d := range o.Devices {
		out.Set(d.Name, fmt.Sprintf("flash %s; memory %.0f GB/s; %.1f · 10^12 multiply-accumulates/s on the CPU, %.1f on an NPU", d.Flash, d.Memory/1e9, d.CPU/1e12, d.NPU/1e12))
	}
	for _, t := range o.Targets {
		out.Set(t.Name, fmt.Sprintf("draft %s; %.0f%% of the weights in memory", t.Draft, 100*t.InMemory))
	}
	figures := []func(context.Context, *report.Report) error{
		s.verification, s.budgets, s.devices, s.policies, s.tails, func(ctx context.Context, out *report.Report) error { return s.validate(ctx, out, models) },
	}
	for i, figure := range figures {
		if err := figure(ctx, out); err != nil {
			return nil, fmt.Errorf("simulate: %w", err)
		}
		if o.Progress != nil {
			o.Progress(i+1, len(figures))
		}
	}
	out.Set("paths recorded", fmt.Sprintf("%d of the draft, %d of the target", s.draft.asked, s.target.asked))
	out.End(began)
	return out, nil
}

// encode takes in the prompts.
func (s *simulation) encode(engine *lever.Engine) error {
	s.prompts, s.warm = map[string][][]int32{}, map[string][]int32{}
	own := bench.BuiltinSets()
	for i, set := range s.Sets {
		for _, p := range set.Prompts[:min(s.Prompts, len(set.Prompts))] {
			ids, err := engine.Encode(p.Request())
			if err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
			s.prompts[set.Name] = append(s.prompts[set.Name], ids)
		}
		ids, err := engine.Encode(own[i%len(own)].Prompts[1].Request())
		if err != nil {
			return err
		}
		s.warm[set.Name] = ids
	}
	return nil
}

// result is what a policy reached on a set.
type result struct {
	rate, accepted, drafted float64 // tokens/s; tokens and nodes of a pass
	pass                    float64 // median seconds
}

// contend lets a policy answer the prompts of a set on a device. meanReads hides from it how the time of reads varies.
func (s *simulation) contend(ctx context.Context, h *hardware, set string, c policies.Contender, meanReads bool) (result, error) {
	policy, err := spec.NewPolicy(c.Policy, c.Budget)
	if err != nil {
		return result{}, err
	}
	draft := &countedDraft{Model: s.draft}
	clock := newClock(policy, draft, h, 1)
	clock.meanReads = meanReads
	generator, err := spec.NewGenerator(spec.Options{Target: s.target, Draft: draft, Policy: clock, MaxNodes: c.Budget})
	if err != nil {
		return result{}, err
	}
	generate := func(prompt []int32, tokens int) error {
		_, err := generator.Generate(ctx, spec.Request{Prompt: prompt, MaxTokens: tokens, StopTokens: s.stop}, nil)
		return err
	}
	if _, learns := policy.(spec.Observer); learns {
		if err := generate(s.warm[set], s.WarmTokens); err != nil {
			return result{}, err
		}
	}
	before := *clock
	for _, prompt := range s.prompts[set] {
		if err := generate(prompt, s.Tokens); err != nil {
			return result{}, err
		}
	}
	passes, tokens := float64(clock.passes-before.passes), float64(clock.tokens-before.tokens)
	return result{
		rate: tokens / (clock.now - before.now), accepted: tokens / passes, drafted: float64(clock.drafted-before.drafted) / passes,
		pass: bench.Median(clock.passSeconds[len(before.passSeconds):]),
	}, nil
}

// mean returns the geometric means of a policy's results over all sets.
func (s *simulation) mean(ctx context.Context, h *hardware, c policies.Contender, meanReads bool) (result, error) {
	var rates, accepted, drafted, passes []float64
	for _, set := range s.Sets {
		x, err := s.contend(ctx, h, set.Name, c, meanReads)
		if err != nil {
			return result{}, fmt.Errorf("%s, %s: %w", set.Name, c.Name, err)
		}
		rates, accepted, drafted, passes = append(rates, x.rate), append(accepted, x.accepted), append(drafted, 1+x.drafted), append(passes, x.pass)
	}
	return result{bench.GeometricMean(rates), bench.GeometricMean(accepted), bench.GeometricMean(drafted) - 1, bench.GeometricMean(passes)}, nil
}

// named returns the contender called name with a budget.
func named(name string, budget int) policies.Contender {
	return policies.Contender{Name: name, Policy: name, Budget: budget}
}
