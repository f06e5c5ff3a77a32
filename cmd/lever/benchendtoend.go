package main

import (
	"context"
	"fmt"
	"os"

	"github.com/lever-go/lever/bench/endtoend"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/pflag"
)

// endToEndFlags are the flags of bench endtoend.
type endToEndFlags struct {
	endtoend.Options
	dram  byteSize
	flash string
}

func newEndToEndExperiment() *experiment {
	f := &endToEndFlags{}
	return &experiment{
		name:  "endtoend",
		short: "Measure whole generations: plain, chains and lever from flash, and plain in memory",
		long: `Measure whole generations of a target that is larger than its memory: plain decoding, chains of drafted tokens and the policy lever, which
stream the target from flash, and plain decoding with all weights in memory. Without --model the demo pair runs, which is so small that what
else happens for a token counts most; bench inflate makes models of real size.`,
		example: `  lever bench endtoend
  lever bench endtoend --model llama-8b.lever --draft llama-1b.lever --dram 1072MiB`,
		flags: f.register,
		run:   f.run,
	}
}

func (f *endToEndFlags) register(flags *pflag.FlagSet) {
	registerPair(flags, &f.Model, &f.Draft)
	flags.Var(&f.dram, "dram", "memory for the target's weights, less than they need (default: 4MiB, for the demo)")
	flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 1)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 48)")
	flags.IntVar(&f.PlainTokens, "plain-tokens", 0, "most tokens of an answer of plain decoding from flash (default: 8)")
	flags.IntSliceVar(&f.Chains, "chains", nil, "lengths of chains (default: 4,8)")
	flags.BoolVar(&f.Resident, "in-memory", true, "also decode plainly with all weights in memory")
	flags.StringVar(&f.flash, "flash-profile", "", "read the target at the speed of another flash device: the name or file of a profile")
}

func (f *endToEndFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Model != "" && (f.Draft == "" || f.dram == 0) {
		return nil, usageErrorf("--model needs --draft and --dram")
	}
	o := f.Options
	var err error
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	o.DRAM = int64(f.dram)
	if o.Model == "" {
		setDefault(&o.DRAM, demoDRAM)
		setDefault(&o.PlainTokens, 48)
	}
	if o.Model, o.Draft, err = chooseModels(ctx, o.Model, o.Draft); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Tokens, 24)
	}
	var throttle *weights.Throttle
	if f.flash != "" {
		if throttle, err = newThrottle(f.flash); err != nil {
			return nil, err
		}
		o.OpenFile = throttle.Opener(nil)
	}
	o.Progress = stepProgress("endtoend", "answers")
	r, err := endtoend.Run(ctx, o)
	if r != nil && throttle != nil {
		r.Set("flash device", fmt.Sprintf("simulated: %s", f.flash))
		printOverrun(os.Stderr, throttle.Stats())
	}
	return r, err
}
