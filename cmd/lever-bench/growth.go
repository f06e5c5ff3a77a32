package main

import (
	"context"
	"time"

	"github.com/lever-go/lever/bench/growth"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/pflag"
)

// growthFlags are the flags of growth.
type growthFlags struct {
	growth.Options
	flash     string
	passBytes cli.ByteSize
}

func newGrowthExperiment() *experiment {
	f := &growthFlags{}
	return &experiment{
		name:  "growth",
		short: "Measure how cost grows with context, tree budget, model size, memory and threads",
		long: `Measure how the time of a pass grows: with the length of the text, the rows of a tree, the bytes of weights, the part of the target in
memory, and the number of threads. For memory, the rest of the target is streamed from a simulated flash device that is slower in proportion, as
in bench policies. Without --model the demo pair is measured; inflate makes models of real size.`,
		example: `  lever-bench growth
  lever-bench growth --quick --model llama-8b.lever --draft llama-1b.lever --context 1024`,
		flags: f.register,
		run:   f.run,
	}
}

func (f *growthFlags) register(flags *pflag.FlagSet) {
	registerPair(flags, &f.Model, &f.Draft)
	flags.StringSliceVar(&f.Also, "also", nil, "more models for the curve by size")
	flags.IntVar(&f.Threads, "threads", 0, "worker threads, but for the curve by threads (default: one per performance core)")
	flags.IntVar(&f.Context, "context", 0, "tokens of the longest text (default: what the model was made for, at most 8192)")
	flags.DurationVar(&f.Duration, "duration", 0, "time for each point, if it is enough for three passes (default: 1s)")
	flags.StringVar(&f.flash, "flash-profile", "ufs-4-measured", "flash device: the name or file of a profile")
	flags.Var(&f.passBytes, "pass-bytes", "what the bytes of all weights count for on the device, if they are fewer (default: 4.5GB, 8 billion parameters in Q4_0)")
}

func (f *growthFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Model != "" && f.Draft == "" {
		return nil, cli.UsageErrorf("--model needs --draft")
	}
	if min(f.Threads, f.Context) < 0 || f.Duration < 0 {
		return nil, cli.UsageErrorf("a number is negative")
	}
	o := f.Options
	var err error
	if o.Flash, err = cli.LoadFlash(f.flash); err != nil {
		return nil, err
	}
	if o.Model, o.Draft, err = cli.ChooseModels(ctx, o.Model, o.Draft); err != nil {
		return nil, err
	}
	o.PassBytes = int64(f.passBytes)
	if c.quick { // a device as fast as for a model of a sixth
		setDefault(&o.Duration, 200*time.Millisecond)
		setDefault(&o.PassBytes, policies.Bytes8B/6)
	}
	setDefault(&o.PassBytes, policies.Bytes8B)
	o.Progress = stepProgress("growth", "points")
	return growth.Run(ctx, o)
}
