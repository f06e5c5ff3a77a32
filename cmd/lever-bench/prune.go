package main

import (
	"context"

	"github.com/lever-go/lever/bench/prune"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/pflag"
)

// newPruneExperiment makes the command prune.
func newPruneExperiment() *experiment {
	var o prune.Options
	e := &experiment{
		name:  "prune",
		short: "Measure what pruning trees half-way through the target saves, and what it costs",
		long: `Measure what pruning drafted tokens half-way through the target saves: curves of recall against saved work for each predictor in the target's
store, beside the draft's own probabilities; and what it does for the time of verification on machines of different kinds, whose times are computed
from the rows that really went on. All answers are compared with plain decoding.

Without --model the demo pair runs. Prompts are read from ` + sharedFolder + `/data/prompts; where that is absent, a few of our own take their place.`,
		example: `  lever-bench prune
  lever-bench prune --quick
  lever-bench prune --prompts-per-set 32 --tokens 100`,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&o.Model, "model", "", "target model: a store with a predictor (default: the embedded demo)")
			flags.StringVar(&o.Draft, "draft", "", "draft model (default: the demo's)")
			flags.IntVar(&o.Threads, "threads", 0, "worker threads (default: one per performance core)")
			flags.IntVar(&o.Prompts, "prompts-per-set", 0, "prompts of each set (default: 6)")
			flags.IntVar(&o.Tokens, "tokens", 0, "most tokens of an answer (default: 64)")
		},
	}
	e.run = func(ctx context.Context, f experimentFlags) (*report.Report, error) {
		o := o
		if o.Model != "" && o.Draft == "" {
			return nil, cli.UsageErrorf("--model needs --draft")
		}
		if min(o.Prompts, o.Tokens, o.Threads) < 0 {
			return nil, cli.UsageErrorf("a number is negative")
		}
		var err error
		if o.Sets, err = f.loadSets(); err != nil {
			return nil, err
		}
		if o.Model, o.Draft, err = cli.ChooseModels(ctx, o.Model, o.Draft); err != nil {
			return nil, err
		}
		if f.quick {
			setDefault(&o.Prompts, 1)
			setDefault(&o.Tokens, 24)
		}
		o.Progress = e.progress()
		return prune.Run(ctx, o)
	}
	return e
}
