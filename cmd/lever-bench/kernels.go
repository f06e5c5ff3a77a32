package main

import (
	"context"
	"time"

	"github.com/lever-go/lever/bench/kernels"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/pflag"
)

// kernelsFlags are the flags of kernels.
type kernelsFlags struct{ kernels.Options }

func newKernelsExperiment() *experiment {
	f := &kernelsFlags{}
	return &experiment{
		name:  "kernels",
		short: "Measure every operation with every kernel set, and compare it with what bounds it",
		long: `Measure every operation with every kernel set that this processor has, in the shapes of Llama-3.1-8B, Llama-3.2-1B and the demo, and compare it
with what bounds it: products and attention with memory as fast as the same threads read it, and with the best product that was measured of the set;
operations on rows with what moving their bytes in the caches takes. Products that would take a tenth of a second are left out. It wants a machine that does nothing else.`,
		example: `  lever-bench kernels
  lever-bench kernels --kernels avx2,avx512 --threads 1`,
		flags: func(flags *pflag.FlagSet) {
			flags.StringSliceVar(&f.Kernels, "kernels", nil, "kernel sets (default: all that this processor has)")
			flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
		},
		run: f.run,
	}
}

func (f *kernelsFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Threads < 0 {
		return nil, cli.UsageErrorf("a number is negative")
	}
	o := f.Options
	if c.quick {
		o.Short, o.Duration = true, 10*time.Millisecond
	}
	o.Progress = stepProgress("kernels", "measurements")
	return kernels.Run(ctx, o)
}
