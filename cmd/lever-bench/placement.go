package main

import (
	"context"
	"time"

	"github.com/lever-go/lever/bench/placement"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/pflag"
)

// placementFlags are the flags of the experiments that compare where work is computed.
type placementFlags struct {
	placement.Options
	report func(*placement.Recording) (*report.Report, error)
}

func newDraftSchedulingExperiment() *experiment {
	f := &placementFlags{report: placement.DraftScheduling}
	return &experiment{
		name:  "draft-scheduling",
		short: "Compare where drafts are computed on phones with an NPU",
		long: `Compare the latency of the draft stage by where it is computed: node by node on the NPU or the CPU, in batches on either, or each
batch where it is faster. The demo pair answers prompts, and what it drafts is reckoned for the shapes of large models on simulated phones.`,
		example: `  lever-bench draft-scheduling
  lever-bench draft-scheduling --parallel-draft parallel.lever`,
		flags: func(flags *pflag.FlagSet) {
			f.register(flags)
			flags.StringVar(&f.Parallel, "parallel-draft", "", "also record a draft that predicts several tokens in one forward: its store")
		},
		run: f.run,
	}
}

func newProjectionExperiment() *experiment {
	f := &placementFlags{report: placement.Projection}
	return &experiment{
		name:  "projection",
		short: "Compare where logits are computed on phones with an NPU",
		long: `Compare the latency of the output projection: of the whole tree on the NPU, or along the accepted path on the NPU or the CPU. The demo
pair answers prompts, and its trees are reckoned for the heads of large models on simulated phones.`,
		example: `  lever-bench projection`,
		flags:   f.register,
		run:     f.run,
	}
}

func (f *placementFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 2)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 48)")
	flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
}

func (f *placementFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if min(f.Prompts, f.Tokens, f.Threads) < 0 {
		return nil, cli.UsageErrorf("a number is negative")
	}
	o := f.Options
	var err error
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	if o.Model, o.Draft, err = cli.ChooseModels(ctx, "", ""); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Prompts, 1)
		setDefault(&o.Tokens, 16)
	}
	o.Progress = stepProgress("recording", "answers")
	began := time.Now()
	r, err := placement.Record(ctx, o)
	if err != nil {
		return nil, err
	}
	out, err := f.report(r)
	if err != nil {
		return nil, err
	}
	out.End(began)
	return out, nil
}
