package simulate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/weights"
)

// Options say what [Run] simulates. Model, Draft and Sets must be set or, in place of all down to WarmTokens, Replay.
type Options struct {
	Model, Draft string // the pair that acceptance comes from
	Sets         []bench.Set
	Prompts      int // of each set; if zero, 2
	Tokens       int // of an answer; if zero, 64
	WarmTokens   int // generated beforehand by policies that learn; if zero, 96
	// Record is the file of a trace to write, of all that the pair was asked; if empty, none. One that is there, of the same models and prompts, is
	// extended: what it holds is not asked again. It is written also where Run fails later on.
	Record string
	// Replay is the file of a trace that answers in place of the models. What it lacks is [ErrNotRecorded].
	Replay  string
	Phones  []Phone  // if nil, the variable Phones
	Targets []Target // if nil, Targets
	// SparsePhones run a target with experts; if nil, the variable SparsePhones.
	SparsePhones []Phone
	// Parallel is a draft model that predicts several tokens in one forward, to compare with Draft; if empty, none is.
	Parallel string
	// Delays are flash devices whose delays of reads are compared with the phone's, such as those that were measured.
	Delays []*flashsim.Profile
	// First are the lengths of answers, in tokens, of which the first of a new process are compared as well; if empty, none are.
	First []int
	// Progress, if not nil, is called with the number of figures done.
	Progress func(done, total int)
}

func (o Options) withDefaults() (Options, error) {
	switch asks := o.Model != "" || o.Draft != "" || o.Sets != nil || o.Prompts != 0 || o.Tokens != 0 || o.WarmTokens != 0 || o.Record != ""; {
	case o.Replay != "" && asks:
		return o, errors.New("simulate: a trace to replay has models, prompts and numbers of tokens of its own")
	case o.Replay != "":
	case o.Model == "" || o.Draft == "":
		return o, errors.New("simulate: a target and a draft model are needed")
	case len(o.Sets) == 0:
		return o, errors.New("simulate: no prompts")
	case min(o.Prompts, o.Tokens, o.WarmTokens) < 0:
		return o, errors.New("simulate: a negative option")
	}
	if o.Replay != "" && o.Parallel != "" {
		return o, errors.New("simulate: a trace is of one draft; the parallel one can't be asked")
	}
	for _, n := range o.First {
		if n < 1 {
			return o, fmt.Errorf("simulate: first answers of %d tokens", n)
		}
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
	if o.Phones == nil {
		o.Phones = Phones
	}
	if o.Targets == nil {
		o.Targets = Targets
	}
	if o.SparsePhones == nil {
		o.SparsePhones = SparsePhones
	}
	return o, nil
}

const (
	keptTokens = 32 // after each path: more than any policy asks of the draft, and than is sampled of the target
	budget     = 64 // drafted tokens of a pass
)

// simulation is a pair, recorded, and what it is asked.
type simulation struct {
	Options
	pair     *trace
	sampling sampling.Options // of answers
	// live, if not nil, is asked in place of the recorded target, and pruner prunes its trees.
	live   spec.Decoder
	pruner spec.Pruner
}

// Run makes all figures. The first run over a text asks the models for each path; it takes a few minutes in all.
func Run(ctx context.Context, o Options) (r *report.Report, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r, err = nil, fmt.Errorf("simulate: %w", err)
		}
	}()
	s := &simulation{Options: o}
	out := report.New("simulate", "The paper's figures 4, 5, 10 and 11, and reads with heavy tails, simulated")
	began := time.Now()
	figures := []func(context.Context, *report.Report) error{s.verification, s.budgets, s.phones, s.sparse, s.policies, s.settings, s.tails, s.growth}
	if len(o.First) > 0 {
		figures = append(figures, s.first)
	}
	if o.Parallel != "" {
		if err = bench.CheckParallel(ctx, o.Parallel); err != nil { // before all that takes long
			return nil, err
		}
		figures = append(figures, s.parallel)
	}
	if o.Replay != "" {
		if s.pair, err = loadTrace(o.Replay); err != nil {
			return nil, err
		}
	} else {
		var engine *lever.Engine
		if engine, err = lever.Open(ctx, lever.Config{Model: o.Model, Draft: o.Draft}); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, engine.Close()) }()
		if s.pair, err = s.ask(ctx, engine); err != nil {
			return nil, err
		}
		figures = append(figures, func(ctx context.Context, out *report.Report) error { return s.pruning(ctx, out, engine) },
			func(ctx context.Context, out *report.Report) error { return s.validate(ctx, out, engine.SpecOptions()) })
	}
	s.describe(out, o.Phones, o.Targets)
	policies.SetLeftOut(out, policies.LeftOut(s.pair.Draft.Positions > 1))
	for i, figure := range figures {
		if err = figure(ctx, out); err != nil {
			break
		}
		if o.Progress != nil {
			o.Progress(i+1, len(figures))
		}
	}
	if o.Record != "" {
		err = errors.Join(err, s.pair.save(o.Record))
	}
	if o.Replay != "" {
		if err != nil {
			err = fmt.Errorf("trace %s: %w", o.Replay, err)
		}
		out.Find("nothing was pruned, and simulated passes were not compared with real ones: the models were not asked, but a trace of them")
	}
	out.Set("paths recorded", fmt.Sprintf("%d of the draft, %d of the target; asked for now: %d and %d",
		len(s.pair.draft.known), len(s.pair.target.known), s.pair.draft.asked, s.pair.target.asked))
	out.End(began)
	return out, err
}

// describe notes the settings.
func (s *simulation) describe(out *report.Report, phones []Phone, targets []Target) {
	out.Set("acceptance of", s.pair.pairName())
	out.Set("prompts", s.pair.describe())
	out.Set("tokens of an answer", s.pair.Tokens)
	for _, d := range phones {
		text := fmt.Sprintf("flash %s; memory %.0f GB/s; %.1f · 10^12 multiply-accumulates/s on the CPU", d.Flash, d.Memory/1e9, d.CPU/1e12)
		if d.NPU > 0 {
			text += fmt.Sprintf(", %.1f on an NPU", d.NPU/1e12)
		}
		out.Set(d.Name, text)
	}
	for _, t := range targets {
		out.Set(t.Name, fmt.Sprintf("draft %s; %.0f%% of the weights in memory", t.Draft, 100*t.InMemory))
	}
}

// ask returns the pair that is asked, with what a file recorded of it before.
func (s *simulation) ask(ctx context.Context, engine *lever.Engine) (*trace, error) {
	models := engine.SpecOptions()
	h := traceHeader{Tokens: s.Tokens, WarmTokens: s.WarmTokens, Stop: engine.Tokenizer().EOS()}
	target, draft := engine.Stores()
	for _, m := range []struct {
		about *tracedModel
		path  string
		store *weights.Store
		model spec.Decoder
		keep  int
	}{{&h.Target, s.Model, target, models.Target, keptTokens}, {&h.Draft, s.Draft, draft, models.Draft, keptTokens}} {
		hash, err := m.store.Hash()
		if err != nil {
			return nil, err
		}
		*m.about = tracedModel{Name: filepath.Base(m.path), Hash: hash, Vocab: m.model.Vocab(), Context: m.model.Context(), Kept: min(m.keep, m.model.Vocab())}
	}
	h.Draft.Mask, h.Draft.Positions = models.Parallel.Mask, models.Parallel.Reach
	var err error
	if h.Sets, err = s.encode(ctx, engine); err != nil {
		return nil, err
	}
	t := newTrace(h, models)
	if s.Record == "" {
		return t, nil
	}
	before, err := loadTrace(s.Record)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, t.save(s.Record) // a place that can't be written to is better known now
	case err != nil:
		return nil, err
	}
	if err := t.extend(before); err != nil {
		return nil, fmt.Errorf("trace %s: %w: choose another file", s.Record, err)
	}
	return t, nil
}

// encode takes in the prompts.
func (s *simulation) encode(ctx context.Context, engine *lever.Engine) (sets []tracedSet, err error) {
	own := bench.BuiltinSets()
	for i, set := range s.Sets {
		traced := tracedSet{Name: set.Name}
		if traced.Warm, err = engine.Encode(ctx, own[i%len(own)].Prompts[1].Request()); err != nil {
			return nil, err
		}
		for _, p := range set.Prompts[:min(s.Prompts, len(set.Prompts))] {
			ids, err := engine.Encode(ctx, p.Request())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.ID, err)
			}
			traced.Prompts = append(traced.Prompts, tracedPrompt{p.ID, ids})
		}
		sets = append(sets, traced)
	}
	return sets, nil
}

// result is what a policy reached on a set.
type result struct {
	rate, accepted, drafted float64   // tokens/s; tokens and nodes of a pass
	pass                    float64   // median seconds
	drafting, forwards      float64   // of a pass: seconds, and forwards of the draft
	rates                   []float64 // tokens/s of each prompt
}

// simulateOne lets a policy answer the prompts of a set on a device. meanReads hides from it how the time of reads varies.
func (s *simulation) simulateOne(ctx context.Context, h *hardware, set tracedSet, c policies.Variant, meanReads bool) (result, error) {
	policy, err := c.New()
	if err != nil {
		return result{}, err
	}
	draft := &countedDraft{Decoder: s.pair.draft}
	clock := newClock(policy, draft, h, 1)
	clock.meanReads = meanReads
	options := spec.Options{
		Target: s.pair.target, Draft: draft, Policy: clock, Budget: c.Budget,
		Parallel: spec.Parallel{Mask: s.pair.Draft.Mask, Reach: s.pair.Draft.Positions},
	}
	if s.live != nil {
		options.Target, options.Pruner = s.live, s.pruner
		if pricer, ok := policy.(earlyexit.Pricer); ok {
			options.Policy = pricedClock{clock, pricer}
		}
	}
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return result{}, err
	}
	generate := func(prompt []int32, tokens int) error {
		_, err := generator.Generate(ctx, spec.Request{Prompt: prompt, MaxTokens: tokens, StopTokens: s.pair.Stop, Sampling: s.sampling}, nil)
		return err
	}
	if _, learns := policy.(spec.Observer); learns {
		if err := generate(set.Warm, s.pair.WarmTokens); err != nil {
			return result{}, err
		}
	}
	before := *clock
	var rates []float64
	for _, prompt := range set.Prompts {
		began, had := clock.now, clock.tokens
		if err := generate(prompt.Tokens, s.pair.Tokens); err != nil {
			return result{}, err
		}
		rates = append(rates, float64(clock.tokens-had)/(clock.now-began))
	}
	passes, tokens := float64(clock.passes-before.passes), float64(clock.tokens-before.tokens)
	return result{
		rate: tokens / (clock.now - before.now), rates: rates, accepted: tokens / passes, drafted: float64(clock.drafted-before.drafted) / passes,
		pass:     bench.Median(clock.passSeconds[len(before.passSeconds):]),
		drafting: (clock.drafting - before.drafting) / passes, forwards: float64(clock.forwards-before.forwards) / passes,
	}, nil
}

// mean returns the geometric means of a policy's results over all sets.
func (s *simulation) mean(ctx context.Context, h *hardware, c policies.Variant, meanReads bool) (result, error) {
	return s.meanOver(ctx, h, s.pair.Sets, c, meanReads)
}

func (s *simulation) meanOver(ctx context.Context, h *hardware, sets []tracedSet, c policies.Variant, meanReads bool) (result, error) {
	var rates, accepted, drafted, passes []float64
	drafting := 0.0
	for _, set := range sets {
		x, err := s.simulateOne(ctx, h, set, c, meanReads)
		if err != nil {
			return result{}, fmt.Errorf("%s, %s: %w", set.Name, c.Name, err)
		}
		rates, accepted, drafted, passes = append(rates, x.rate), append(accepted, x.accepted), append(drafted, 1+x.drafted), append(passes, x.pass)
		drafting += x.drafting / float64(len(sets))
	}
	return result{
		rate: bench.GeometricMean(rates), accepted: bench.GeometricMean(accepted), drafted: bench.GeometricMean(drafted) - 1, pass: bench.GeometricMean(passes), drafting: drafting,
	}, nil
}

// named returns the variant called name with a budget.
func named(name string, budget int) policies.Variant {
	return policies.Variant{Name: name, Policy: name, Budget: budget}
}
