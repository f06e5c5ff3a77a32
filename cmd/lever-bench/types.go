package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/bench/simulate"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/tensor"
	"github.com/spf13/pflag"
)

// typesFlags are the flags of types.
type typesFlags struct {
	simulate.TypeOptions
	dram           cli.ByteSize
	types, measure []string
}

func newTypesExperiment() *experiment {
	f := &typesFlags{}
	return &experiment{
		name:  "types",
		short: "Compare the types of a target's weights by tokens/s from flash",
		long: `Compare the types of the weights of an 8B target by tokens/s, plain and with lever, on a phone whose memory does not hold it: simulated, with what
the demo pair drafts and accepts.

--measure also measures types on this machine: it inflates the demo pair to models of full size, one type after the other, and reads them at the speed
of the phone's flash, from the page cache, which must hold a model. Each takes some minutes, and 3 to 5 GB beside 1 GB for the draft; they are
removed at the end. With --record, types are measured in several runs, and what is there when a run is interrupted is kept.`,
		example: `  lever-bench types
  lever-bench types --types q4_0,iq3_xxs --dram 1536MiB
  lever-bench types --measure q4_0,iq3_xxs
  lever-bench types --measure iq3_s --cpu-share 1,0.5 --record types.measured`,
		flags: f.register,
		run:   f.run,
	}
}

func (f *typesFlags) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.types, "types", nil, "types of the target's matrices (default: q4_0,iq4_xs,q3_k,iq3_s,iq3_xxs)")
	flags.StringSliceVar(&f.measure, "measure", nil, "types that are measured on this machine, too")
	flags.IntVar(&f.MeasureSets, "measure-sets", 0, "data sets of which a prompt each is answered for that with lever (default: 2)")
	flags.IntVar(&f.MeasureTokens, "measure-tokens", 0, "most tokens of a measured answer with lever, after as many to learn from (default: 48)")
	flags.Float64SliceVar(&f.CPUShares, "cpu-share", nil, "measure with reads that are slowed as this machine computes slower than a phone, by its share of the phone's speed: a list such as 1,0.4 (default: 1)")
	flags.StringVar(&f.Record, "record", "", "file that all that is measured is kept in as it comes: what it holds is not measured again, and is reported")
	flags.Var(&f.dram, "dram", "memory for the target's weights (default: 2GiB)")
	flags.StringVar(&f.Flash, "flash-profile", "", "the phone's flash: the name or file of a profile (default: ufs-4-measured)")
	flags.StringVar(&f.Work, "work", "", "folder for the models that are measured; draft.lever and stores such as q4_0.lever are used if they are there, and kept (default: a temporary folder)")
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 1)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 48)")
}

func (f *typesFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	o := f.TypeOptions
	var err error
	if o.Types, err = parseTypes(f.types); err != nil {
		return nil, err
	}
	if o.Measure, err = parseTypes(f.measure); err != nil {
		return nil, err
	}
	o.DRAM = int64(f.dram)
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	if c.quick {
		o.Sets = o.Sets[:min(2, len(o.Sets))]
		setDefault(&o.Tokens, 24)
	}
	if o.Model, o.Draft, err = cli.ChooseModels(ctx, "", ""); err != nil {
		return nil, err
	}
	began := time.Now()
	o.Progress = func(step string) {
		fmt.Fprintf(cli.Stderr, "types: %s after %s\n", step, time.Since(began).Round(time.Second))
	}
	return simulate.RunTypes(ctx, o)
}

// parseTypes reads the names of types.
func parseTypes(names []string) (types []tensor.DType, err error) {
	for _, name := range names {
		d, err := cli.ParseStoreType(name)
		if err != nil {
			return nil, err
		}
		types = append(types, d)
	}
	return types, nil
}
