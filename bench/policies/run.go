package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
)

// Options say what [Run] compares, and how. Model, Draft, Sets, DRAM and Flash must be set.
type Options struct {
	Model, Draft string
	// DRAM is the memory for the target's weights, less than they need: the rest is streamed.
	DRAM    int64
	Threads int // if zero, one per performance core
	Sets    []bench.Set
	// Variants are the policies; if nil, those of the function Variants, with Budget, that the draft model is good for.
	Variants []Variant
	Budget   int // drafted tokens in a pass; if zero, 64
	Prompts  int // of each set; if zero, 6
	Tokens   int // of each answer; if zero, 64
	// PlainTokens bounds the answers of plain decoding, whose passes are all alike; if zero, 16.
	PlainTokens int
	WarmTokens  int // generated beforehand by policies that learn; if zero, 96
	// Flash is the device that is simulated.
	Flash *flashsim.Profile
	// PassBytes is what the bytes that a pass streams count for; if zero, those of a model of 8 billion parameters in Q4_0.
	PassBytes int64
	// Devices is the number of simulated devices for each set, which share its prompts and work at the same time; if zero, 3.
	Devices int
	Trees   bool // record every pass with its tree
	// Progress, if not nil, is called with the number of answers done. Calls do not overlap.
	Progress func(done, total int)
}

// Bytes8B is the size of 8 billion parameters in Q4_0: 4.5 bits each.
const Bytes8B = 4_500_000_000

func (o Options) withDefaults() Options {
	set := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	set(&o.Budget, 64)
	set(&o.Prompts, 6)
	set(&o.Tokens, 64)
	set(&o.PlainTokens, 16)
	set(&o.WarmTokens, 96)
	set(&o.Devices, 3)
	if o.PassBytes == 0 {
		o.PassBytes = Bytes8B
	}
	o.Sets = slices.Clone(o.Sets)
	for i, s := range o.Sets {
		o.Sets[i].Prompts = s.Prompts[:min(o.Prompts, len(s.Prompts))]
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.Model == "" || o.Draft == "":
		return errors.New("policies: a target and a draft model are needed")
	case len(o.Sets) == 0:
		return errors.New("policies: no prompts")
	case o.DRAM <= 0:
		return errors.New("policies: no bound of memory: nothing would be streamed")
	case o.Flash == nil:
		return errors.New("policies: no flash profile")
	case min(o.Threads, o.Budget, o.Prompts, o.Tokens, o.PlainTokens, o.WarmTokens, o.Devices) < 0 || o.PassBytes < 0:
		return errors.New("policies: a negative option")
	}
	return nil
}

// run is one comparison on its way.
type run struct {
	Options
	leftOut []string // policies
	scale   float64
	texts   [][]text // by set and prompt

	total int // answers
	mu    sync.Mutex
	done  int // of total
	flash flashsim.Stats
}

// text is a prompt and what plain decoding makes of it.
type text struct {
	id     string
	prompt []int32
	answer []int32
	// scripted says that the answer is the prompt's and not the target's own.
	scripted bool
}

// script returns the tokens of an answer that is given.
func script(engine *lever.Engine, answer string) []int32 {
	if answer == "" {
		return nil
	}
	tok := engine.Tokenizer()
	return append(tok.Encode(answer, tokenizer.EncodeOptions{}), tok.EOS()[0])
}

// Run compares policies. It takes minutes: see [Options].
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{Options: o.withDefaults()}
	report := &Report{Machine: bench.ThisMachine(), Began: time.Now()}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	answers := make([][][]answer, len(r.Sets)) // by set, variant and prompt
	for set := range r.Sets {
		for range r.Variants {
			answers[set] = append(answers[set], make([]answer, len(r.texts[set])))
			r.total += len(r.texts[set])
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for set := range r.Sets {
		for device := range min(r.Devices, len(r.texts[set])) {
			group.Go(func() error {
				if err := r.runDevice(ctx, set, device, answers[set]); err != nil {
					return fmt.Errorf("policies: %s: %w", r.Sets[set].Name, err)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	report.Seconds = time.Since(report.Began).Seconds()
	report.Settings = r.settings()
	report.Overrun = r.flash.Overrun.Seconds() / r.flash.ReadTime.Seconds()
	for set := range r.Sets {
		for i, c := range r.Variants {
			report.Results = append(report.Results, r.result(r.Sets[set].Name, c.Name, answers[set][i]))
		}
	}
	report.summarise()
	return report, nil
}

// engine opens the models, the target on flash that is read by openFile.
func (r *run) engine(ctx context.Context, openFile func(string) (weights.File, error)) (*lever.Engine, error) {
	return lever.Open(ctx, lever.Config{Model: r.Model, Draft: r.Draft, DRAM: r.DRAM, Threads: r.Threads, OpenFile: openFile})
}

// prepare encodes all prompts, decodes them plainly at this machine's own speed, and measures how many bytes a pass streams.
func (r *run) prepare(ctx context.Context) (err error) {
	engine, err := r.engine(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	options := engine.SpecOptions()
	if r.Variants == nil {
		parallel := options.Parallel.Reach > 1
		r.Variants, r.leftOut = Variants(r.Budget, parallel), LeftOut(parallel)
	}
	target := &scripted{Decoder: options.Target}
	options.Draft, options.Target = nil, target
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return err
	}
	var bytes int64
	passes := 0
	for _, set := range r.Sets {
		var texts []text
		for _, p := range set.Prompts {
			prompt, err := engine.Encode(ctx, p.Request())
			if err != nil {
				return fmt.Errorf("policies: %s: %w", p.ID, err)
			}
			target.prompt, target.script = len(prompt), script(engine, p.Answer)
			result, err := generator.Generate(ctx, r.request(engine, prompt, r.Tokens), nil)
			if err != nil {
				return fmt.Errorf("policies: %s: %w", p.ID, err)
			}
			bytes += result.Stats.BytesRead
			passes += result.Stats.Passes
			texts = append(texts, text{p.ID, prompt, result.Tokens, p.Answer != ""})
		}
		r.texts = append(r.texts, texts)
	}
	if bytes == 0 {
		return fmt.Errorf("policies: the target fits into %d bytes: nothing would be streamed", r.DRAM)
	}
	r.scale = float64(r.PassBytes) * float64(passes) / float64(bytes)
	return nil
}

func (r *run) request(engine *lever.Engine, prompt []int32, tokens int) spec.Request {
	return spec.Request{Prompt: prompt, MaxTokens: tokens, StopTokens: engine.Tokenizer().EOS()}
}

// entrant is a variant at work on a device.
type entrant struct {
	Variant
	target    *scripted
	recorder  *recorder
	generator *spec.Generator
}

// runDevice lets all variants answer their share of the prompts of a set on a device of its own.
func (r *run) runDevice(ctx context.Context, set, device int, answers [][]answer) (err error) {
	seed := uint64(set*r.Devices + device)
	throttle, err := flashsim.NewThrottle(r.Flash, flashsim.Options{Scale: r.scale, Seed: seed})
	if err != nil {
		return err
	}
	engine, err := r.engine(ctx, throttle.Opener(nil))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	var entrants []*entrant
	for _, c := range r.Variants {
		e, err := r.enter(ctx, engine, c, r.Sets[set].Name)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		entrants = append(entrants, e)
	}
	defer func() { r.account(throttle.Stats()) }()
	for i := device; i < len(r.texts[set]); i += r.Devices {
		t := r.texts[set][i]
		for turn := range entrants {
			which := (turn + i) % len(entrants)
			a, err := r.answer(ctx, engine, entrants[which], t)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", entrants[which].Name, t.id, err)
			}
			answers[which][i] = a
			r.step()
		}
	}
	return nil
}

// scripted reports whether answers are given.
func (r *run) scripted() bool {
	return slices.ContainsFunc(r.Sets, func(s bench.Set) bool {
		return slices.ContainsFunc(s.Prompts, func(p bench.Prompt) bool { return p.Answer != "" })
	})
}

// enter makes a variant ready.
func (r *run) enter(ctx context.Context, engine *lever.Engine, c Variant, set string) (*entrant, error) {
	policy, err := c.New()
	if err != nil {
		return nil, err
	}
	options := engine.SpecOptions()
	draft := &timedModel{Decoder: options.Draft}
	e := &entrant{Variant: c, target: &scripted{Decoder: options.Target}, recorder: &recorder{policy: policy, draft: draft, trees: r.Trees}}
	options.Target, options.Draft, options.Policy, options.Budget = e.target, draft, e.recorder, c.Budget
	if r.scripted() {
		options.Pruner = nil // hidden states know nothing of a script
	}
	if e.generator, err = spec.NewGenerator(options); err != nil {
		return nil, err
	}
	if _, learns := policy.(spec.Observer); !learns {
		return e, nil
	}
	prompt, err := engine.Encode(ctx, warmPrompt(set).Request())
	if err != nil {
		return nil, err
	}
	_, err = e.generator.Generate(ctx, r.request(engine, prompt, r.WarmTokens), nil)
	e.recorder.take()
	return e, err
}

// warmPrompt returns a prompt of our own that is like those of a set.
func warmPrompt(set string) bench.Prompt {
	own := bench.BuiltinSets()
	i := slices.IndexFunc(own, func(s bench.Set) bool { return s.Name == set })
	return own[max(i, 0)].Prompts[1]
}

// answer lets a variant answer a prompt.
func (r *run) answer(ctx context.Context, engine *lever.Engine, e *entrant, t text) (answer, error) {
	want := t.answer
	if e.Policy == plainName {
		want = want[:min(r.PlainTokens, len(want))]
	}
	e.target.script = nil
	if t.scripted {
		e.target.prompt, e.target.script = len(t.prompt), t.answer
	}
	got, err := e.generator.Generate(ctx, r.request(engine, t.prompt, len(want)), nil)
	return answer{t.id, got.Stats, e.recorder.take(), slices.Equal(got.Tokens, want)}, err
}

// account adds up what simulated devices did.
func (r *run) account(s flashsim.Stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flash.ReadTime += s.ReadTime
	r.flash.Overrun += s.Overrun
}

// step counts an answer that is done.
func (r *run) step() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.Progress != nil {
		r.Progress(r.done, r.total)
	}
}
