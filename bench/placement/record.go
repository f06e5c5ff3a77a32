package placement

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tokenizer"
)

// Budgets are the numbers of tree nodes that trees are grown with.
var Budgets = []int{4, 8, 16, 32, 64}

// Options say what [Record] runs. Model, Draft and Sets must be set.
type Options struct {
	Model, Draft string // the pair that answers, all in memory
	Parallel     string // a draft that predicts several tokens in one forward, recorded as well; if empty, none is
	Sets         []bench.Set
	Prompts      int // of each set; 0 means 2
	Tokens       int // of each answer; 0 means 48
	Threads      int // 0 means one per performance core
	// Progress, if not nil, is called with the number of answers done.
	Progress func(done, total int)
}

// Recording is what there was to compute.
type Recording struct {
	Prompts int      `json:"prompts"`
	Tokens  int      `json:"tokens"` // of all answers with one budget
	Budgets []Budget `json:"budgets"`
	// Parallel is the same with Options.Parallel as the draft.
	Parallel []Budget `json:"parallel,omitempty"`
}

// Budget is what there was to compute with trees of at most so many nodes.
type Budget struct {
	Nodes  int    `json:"nodes"`
	Passes []Pass `json:"passes"`
}

// Pass is one pass of the target.
type Pass struct {
	Waves []int `json:"waves"` // rows of each draft forward
	Rows  int   `json:"rows"`  // of the verified tree, the root included
	Path  int   `json:"path"`  // rows of the accepted path, the root included: tokens that the pass adds
	Heads []int `json:"heads"` // rows of each projection, if as many as projectAhead are computed at once
}

// policyPhone is the profile of the phone for which trees are grown.
const policyPhone = "snapdragon-8-gen-3"

// projectAhead is the number of rows that are projected at once along the accepted path, as generation with a large model does.
const projectAhead = 4

// passRead is the seconds in which a pass reads an 8B model of 4.5 GB: direct reads of UFS 4.0, 3776 MB/s.
const passRead = 4.5 / 3.776

// policy is the policy lever for an 8B model that is read from flash, on a phone. It observes the times that passes would take there, so
// that trees depend on nothing but the texts.
type policy struct {
	*gaincost.Lever
	phone    *phone
	recorder *recorder
}

func newPolicy(p *phone, nodes int, r *recorder) (*policy, error) {
	costs := gaincost.Costs{Ring: 2, Project: p.head(llama8B, 1, offload.Auto)}
	for range llama8B.layers {
		costs.Layers = append(costs.Layers, gaincost.LayerCost{Read: gaincost.Latency{Mean: passRead / float64(llama8B.layers)}})
	}
	for rows := 1; rows <= nodes+1; rows++ {
		costs.Compute.Points = append(costs.Compute.Points, gaincost.Point{Rows: rows, Seconds: p.blocks(llama8B, rows, offload.Auto)})
		costs.Draft.Points = append(costs.Draft.Points, gaincost.Point{Rows: rows, Seconds: p.forward(llama1B, rows, offload.Auto)})
	}
	l, err := gaincost.NewLever(gaincost.LeverOptions{Costs: costs, Budget: nodes, NoLookup: true})
	return &policy{l, p, r}, err
}

// Observe replaces the times of this machine by those of the phone.
func (l *policy) Observe(o spec.Observation) {
	pass := l.recorder.passes[len(l.recorder.passes)-1]
	o.DraftSeconds = strategies[len(strategies)-1].seconds(l.phone, llama1B, pass)
	computing := l.phone.blocks(llama8B, pass.Rows, offload.Auto)
	choosing := float64(pass.Path) * l.phone.head(llama8B, 1, offload.Auto)
	o.IO = spec.IOStats{IOSeconds: passRead, IOWaitSeconds: max(0, passRead-computing-choosing-o.DraftSeconds)}
	o.VerifySeconds = computing + choosing + o.IO.IOWaitSeconds
	l.Lever.Observe(o)
}

// Record answers prompts with trees of each budget.
func Record(ctx context.Context, o Options) (*Recording, error) {
	if o.Prompts == 0 {
		o.Prompts = 2
	}
	if o.Tokens == 0 {
		o.Tokens = 48
	}
	r := &Recording{}
	if err := recordAll(ctx, o, r); err != nil {
		return nil, fmt.Errorf("placement: record: %w", err)
	}
	return r, nil
}

// recordAll records all drafts.
func recordAll(ctx context.Context, o Options, r *Recording) error {
	drafts := []string{o.Draft}
	if o.Parallel != "" {
		if err := bench.CheckParallel(ctx, o.Parallel); err != nil { // before what takes long
			return err
		}
		drafts = append(drafts, o.Parallel)
	}
	if progress := o.Progress; progress != nil {
		before := 0
		o.Progress = func(done, total int) {
			progress(before+done, len(drafts)*total)
			if done == total {
				before += total
			}
		}
	}
	for i, budgets := range []*[]Budget{&r.Budgets, &r.Parallel}[:len(drafts)] {
		if err := record(ctx, o, drafts[i], r, budgets); err != nil {
			return err
		}
	}
	return nil
}

// record notes what there is to compute with a draft.
func record(ctx context.Context, o Options, draft string, r *Recording, budgets *[]Budget) (err error) {
	p, err := loadPhone(policyPhone)
	if err != nil {
		return err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Draft: draft, Threads: o.Threads})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	prompts, err := encode(ctx, engine.Tokenizer(), o)
	if err != nil {
		return err
	}
	r.Prompts = len(prompts)
	for _, nodes := range Budgets {
		b := Budget{Nodes: nodes}
		r.Tokens = 0
		for i, prompt := range prompts {
			passes, tokens, err := answer(ctx, engine, p, nodes, prompt, o.Tokens)
			if err != nil {
				return err
			}
			b.Passes = append(b.Passes, passes...)
			r.Tokens += tokens
			if o.Progress != nil {
				o.Progress(len(*budgets)*len(prompts)+i+1, len(Budgets)*len(prompts))
			}
		}
		*budgets = append(*budgets, b)
	}
	return nil
}

// encode returns the tokens of the first prompts of each set.
func encode(ctx context.Context, tok *tokenizer.Tokenizer, o Options) (prompts [][]int32, err error) {
	for _, set := range o.Sets {
		for _, p := range set.Prompts[:min(o.Prompts, len(set.Prompts))] {
			if p.Raw {
				prompts = append(prompts, tok.Encode(p.Text, tokenizer.EncodeOptions{AddBOS: tok.AddBOS()}))
				continue
			}
			chat, err := tok.Chat(ctx, []tokenizer.Message{{Role: "user", Content: p.Text}}, tokenizer.ChatOptions{AddGenerationPrompt: true})
			if err != nil {
				return nil, err
			}
			ids, err := tok.EncodePrompt(ctx, chat)
			if err != nil {
				return nil, err
			}
			prompts = append(prompts, ids)
		}
	}
	return prompts, nil
}

// answer generates one answer and returns its passes.
func answer(ctx context.Context, engine *lever.Engine, p *phone, nodes int, prompt []int32, tokens int) ([]Pass, int, error) {
	r := &recorder{}
	policy, err := newPolicy(p, nodes, r)
	if err != nil {
		return nil, 0, err
	}
	options := engine.SpecOptions()
	options.Policy, options.Budget, options.ProjectTree, options.ProjectAhead = policy, nodes, false, projectAhead
	options.Target, options.Draft = target{options.Target, r}, draft{options.Draft, r}
	g, err := spec.NewGenerator(options)
	if err != nil {
		return nil, 0, err
	}
	result, err := g.Generate(ctx, spec.Request{Prompt: prompt, MaxTokens: tokens}, nil)
	return r.passes, len(result.Tokens), err
}

// recorder notes what models are asked for.
type recorder struct {
	passes []Pass
	pass   Pass // under way
}

// draft is the draft model.
type draft struct {
	spec.Decoder
	*recorder
}

func (d draft) Forward(ctx context.Context, b spec.Batch) (int, error) {
	if b.Parents != nil { // it is no prompt
		d.pass.Waves = append(d.pass.Waves, len(b.Tokens))
	}
	return d.Decoder.Forward(ctx, b)
}

// target is the target model.
type target struct {
	spec.Decoder
	*recorder
}

func (t target) Forward(ctx context.Context, b spec.Batch) (int, error) {
	t.pass.Rows = len(b.Tokens)
	return t.Decoder.Forward(ctx, b)
}

func (t target) Project(ctx context.Context, dst []float32, rows []int) error {
	t.pass.Heads = append(t.pass.Heads, len(rows))
	return t.Decoder.Project(ctx, dst, rows)
}

func (t target) Commit(path []int) error {
	if len(t.pass.Heads) > 0 { // it is no prompt
		t.pass.Path = len(path)
		t.passes = append(t.passes, t.pass)
		t.pass = Pass{}
	}
	return t.Decoder.Commit(path)
}
