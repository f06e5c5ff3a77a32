package main

import (
	"context"
	"time"

	"github.com/lever-go/lever/bench/flash"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/pflag"
)

// flashFlags are the flags of flash.
type flashFlags struct{ flash.Options }

func newFlashExperiment() *experiment {
	f := &flashFlags{}
	return &experiment{
		name:  "flash",
		short: "Measure reads by size and number, and streamed passes by the part of a model in memory",
		long: `Measure how fast the storage reads, past the page cache, by the size of a read and the number of reads at once, and how close streamed passes
over a store come to that, by the part of it in memory. A file of half a gibibyte is written beside the store for it, and removed. Without --model the
demo's target is read, which is smaller than the caches of most drives.`,
		example: `  lever-bench flash --model llama-8b.lever`,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&f.Model, "model", "", "store to read (default: the embedded demo)")
			flags.IntVar(&f.Passes, "passes", 0, "passes for each part in memory (default: 5)")
		},
		run: f.run,
	}
}

func (f *flashFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	o := f.Options
	var err error
	if o.Model, _, err = cli.ChooseModels(ctx, o.Model, ""); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Passes, 2)
		o.Duration = 5 * time.Second
	}
	o.Progress = stepProgress("flash", "steps")
	return flash.Run(ctx, o)
}
