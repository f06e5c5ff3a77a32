package main

import (
	"context"

	"github.com/lever-go/lever/bench/quality"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/pflag"
)

// qualityFlags are the flags of quality.
type qualityFlags struct {
	quality.Options
	types []string
}

func newQualityExperiment() *experiment {
	f := &qualityFlags{}
	return &experiment{
		name:  "quality",
		short: "Measure what types of weights with few bits cost in quality",
		long: `Measure, for each type that stores can be converted to, with and without importance of columns, the mean negative log-likelihood of prompts, how
often the likeliest token is that of the model's own weights, and how far the distributions are from theirs. Importance is measured on other prompts.`,
		example: `  lever-bench quality
  lever-bench quality --model Qwen3-0.6B --types q3_k,iq4_xs`,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&f.Model, "model", "", "model: a store, a Hugging Face folder or a GGUF file, best in F16 or BF16 (default: the embedded demo)")
			flags.StringSliceVar(&f.types, "types", nil, "types of weights, or mixes of them (default: all that stores can be converted to)")
			flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
			flags.IntVar(&f.Tokens, "tokens", 0, "most tokens that are judged; importance is measured with all other prompts (default: all)")
		},
		run: f.run,
	}
}

func (f *qualityFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if min(f.Threads, f.Tokens) < 0 {
		return nil, cli.UsageErrorf("a number is negative")
	}
	o := f.Options
	for _, name := range f.types {
		mix, ok := weights.FindMix(name)
		if !ok {
			d, err := cli.ParseStoreType(name)
			if err != nil {
				return nil, err
			}
			mix = weights.Uniform(d)
		}
		o.Types = append(o.Types, mix)
	}
	var err error
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	if o.Model, _, err = cli.ChooseModels(ctx, o.Model, ""); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Tokens, 1000)
		if o.Types == nil {
			o.Types = []weights.Mix{weights.Uniform(tensor.Q4_0), weights.Uniform(tensor.Q3_K)}
		}
	}
	o.Progress = stepProgress("quality", "types")
	return quality.Run(ctx, o)
}
