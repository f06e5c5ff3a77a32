package main

import (
	"context"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/bench/simulate"
	"github.com/spf13/pflag"
)

// simulateFlags are the flags of bench simulate.
type simulateFlags struct{ simulate.Options }

func newSimulateExperiment() *experiment {
	f := &simulateFlags{}
	return &experiment{
		name:  "simulate",
		short: "Draw the paper's figures for phones and models of real size, in virtual time",
		long: `Draw the paper's figures for phones and models of real size. What is drafted and accepted is that of a real pair of models, which are asked
once; what it takes is computed from profiles of flash and rates of processors. Without --model the demo pair is asked.`,
		example: `  lever bench simulate
  lever bench simulate --prompts-per-set 8`,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&f.Model, "model", "", "target model that acceptance comes from (default: the embedded demo)")
			flags.StringVar(&f.Draft, "draft", "", "its draft model (default: the demo's)")
			flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 2)")
			flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 64)")
		},
		run: f.run,
	}
}

func (f *simulateFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Model != "" && f.Draft == "" {
		return nil, usageErrorf("--model needs --draft")
	}
	o := f.Options
	var err error
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	if o.Model, o.Draft, err = chooseModels(ctx, o.Model, o.Draft); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Prompts, 1)
		setDefault(&o.Tokens, 32)
		o.Sets, o.Targets = o.Sets[:min(2, len(o.Sets))], simulate.Targets[:1]
		o.Devices = []simulate.Device{simulate.Devices[0], simulate.Devices[len(simulate.Devices)-1]}
	}
	o.Progress = stepProgress("simulate", "figures")
	return simulate.Run(ctx, o)
}
