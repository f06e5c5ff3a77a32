package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
)

// What the simulation is compared with: the pair itself, a quarter of it in memory, on a flash device that is slowed down so that reading a
// pass takes so long.
const (
	validationFlash  = "ufs-4.0"
	validationPass   = 0.25 // seconds
	validationPart   = 4    // of the weights: one in so many is in memory
	validationTokens = 24
)

// validate compares simulated passes with real ones on this machine, whose computing is measured for it.
func (s *simulation) validate(ctx context.Context, out *report.Report, models spec.Options) (err error) {
	flash, err := flashsim.Load(validationFlash)
	if err != nil {
		return err
	}
	h, err := s.thisMachine(ctx, models)
	if err != nil {
		return err
	}
	dram, plan, err := s.quarter(ctx)
	if err != nil {
		return err
	}
	best := flash.BytesPerSecond[len(flash.Sizes)-1][len(flash.Depths)-1]
	scale := validationPass * best / float64(plan.Streamed)
	throttle, err := flashsim.NewThrottle(flash, flashsim.Options{Scale: scale})
	if err != nil {
		return err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: s.Model, Draft: s.Draft, DRAM: dram, OpenFile: throttle.Opener(nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	h.read = reads(flash, scale*float64(plan.Streamed)/float64(h.layers), scale*float64(plan.ReadSize))
	h.ring = int(max(1, plan.Ring*int64(h.layers)/plan.Streamed))

	set, pair := s.pair.Sets[0], *s.pair
	set.Prompts, pair.Tokens = set.Prompts[:1], validationTokens
	one := simulation{Options: s.Options, pair: &pair}
	t := out.AddTable("Simulated against real passes of "+pair.pairName()+" on this machine", report.Text("policy"),
		report.Number("real s/pass", 3), report.Number("simulated s/pass", 3), report.Number("off %", 1))
	var offs []float64
	for _, c := range []policies.Variant{named(plainName, 1), {Name: "chain 8", Policy: "chain", Budget: 8}, named("sequoia", 32), named("eagle2", 64)} {
		took, err := one.real(ctx, engine, c, set.Prompts[0].Tokens)
		if err != nil {
			return fmt.Errorf("validation: %s: %w", c.Name, err)
		}
		x, err := one.simulateOne(ctx, h, set, c, false)
		if err != nil {
			return fmt.Errorf("validation: %s: %w", c.Name, err)
		}
		simulated := x.accepted / x.rate
		offs = append(offs, math.Abs(simulated/took-1))
		t.Add(c.Name, took, simulated, 100*(simulated/took-1))
	}
	out.Find("simulated passes are off by %.1f%% from real ones on this machine (median of %s; load %s when it began)", 100*bench.Median(offs), plural.Of(len(offs), "policy"), out.Machine.Load)
	return nil
}

// real returns the seconds of a pass of a policy.
func (s *simulation) real(ctx context.Context, engine *lever.Engine, c policies.Variant, prompt []int32) (float64, error) {
	options := engine.SpecOptions()
	policy, err := lever.NewPolicy(c.Policy, c.Budget)
	if err != nil {
		return 0, err
	}
	options.Policy, options.Budget = policy, c.Budget
	g, err := spec.NewGenerator(options)
	if err != nil {
		return 0, err
	}
	got, err := g.Generate(ctx, spec.Request{Prompt: prompt, MaxTokens: s.pair.Tokens, StopTokens: s.pair.Stop}, nil)
	return got.Stats.Seconds / float64(max(1, got.Stats.Passes)), err
}

// quarter returns a bound of memory for a part of the target, and how it is used.
func (s *simulation) quarter(ctx context.Context) (dram int64, plan weights.Plan, err error) {
	store, err := lever.OpenStore(ctx, s.Model, lever.Config{})
	if err != nil {
		return 0, plan, err
	}
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		return 0, plan, err
	}
	for dram = store.Bytes() / validationPart; ; dram += store.Bytes() / 16 {
		if plan, err = info.Plan(dram); err == nil || dram > store.Bytes() {
			return dram, plan, err
		}
	}
}

// thisMachine measures what this machine takes to compute the pair.
func (s *simulation) thisMachine(ctx context.Context, models spec.Options) (*hardware, error) {
	store, err := lever.OpenStore(ctx, s.Model, lever.Config{})
	if err != nil {
		return nil, err
	}
	model, err := arch.Parse(store.Config())
	if err != nil {
		return nil, err
	}
	h := &hardware{layers: model.Layers}
	for _, m := range []struct {
		model   spec.Decoder
		curve   *gaincost.Curve
		project bool
	}{{models.Target, &h.compute, false}, {models.Draft, &h.draft, true}} {
		for _, rows := range []int{1, 2, 4, 8, 16, 32, 64} {
			forward, project, err := measure(ctx, m.model, rows)
			if err != nil {
				return nil, err
			}
			switch {
			case m.project:
				forward += project
			case rows == 1:
				h.project = project
			}
			m.curve.Points = append(m.curve.Points, gaincost.Point{Rows: rows, Seconds: forward})
		}
	}
	return h, nil
}

// measure returns the median times of a forward of so many rows, and of their logits.
func measure(ctx context.Context, m spec.Decoder, rows int) (forward, project float64, err error) {
	const rounds = 9
	batch := layers.Batch{Tokens: make([]int32, rows), Parents: make([]int32, rows)}
	which := make([]int, rows)
	for i := range which {
		batch.Parents[i], which[i] = -1, i
	}
	logits := make([]float32, rows*m.Vocab())
	var forwards, projects []float64
	for range rounds {
		if err := m.Truncate(0); err != nil {
			return 0, 0, err
		}
		began := time.Now()
		if _, err := m.Forward(ctx, batch); err != nil {
			return 0, 0, err
		}
		between := time.Now()
		if err := m.Project(ctx, logits, which); err != nil {
			return 0, 0, err
		}
		forwards, projects = append(forwards, between.Sub(began).Seconds()), append(projects, time.Since(between).Seconds())
	}
	return bench.Median(forwards), bench.Median(projects), m.Truncate(0)
}
