package main

import (
	"context"
	"strings"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/bench/simulate"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/pflag"
)

// simulateFlags are the flags of simulate.
type simulateFlags struct {
	simulate.Options
	delays []string
	pairs  []string
}

func newSimulateExperiment() *experiment {
	f := &simulateFlags{}
	return &experiment{
		name:  "simulate",
		short: "Draw the paper's figures for phones and models of real size, in virtual time",
		long: `Draw the paper's figures for phones and models of real size. What is drafted and accepted is that of a real pair of models, which are asked
once; what it takes is computed from profiles of flash and rates of processors. Without --model the demo pair is asked.

--record keeps all that the models were asked in a file, a trace, and goes on from one that is there: only what it lacks is asked. --replay draws the
figures from a trace alone, without models and prompts: the same, but for the comparison with real passes, which is left out.`,
		example: `  lever-bench simulate
  lever-bench simulate --first 16,32,64
  lever-bench simulate --parallel-draft parallel.lever
  lever-bench simulate --pair '3 bits=draft-q3.lever' --pair 'another=target2.lever,draft2.lever'
  lever-bench simulate --record pair.trace --prompts-per-set 8
  lever-bench simulate --replay pair.trace`,
		variants: []string{"simulate-pairs"},
		flags:    f.register,
		run:      f.run,
	}
}

func (f *simulateFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.Model, "model", "", "target model that acceptance comes from (default: the embedded demo)")
	flags.StringVar(&f.Draft, "draft", "", "its draft model (default: the demo's)")
	flags.StringVar(&f.Parallel, "parallel-draft", "", "also compare the draft with one that predicts several tokens in one forward: its store")
	flags.StringArrayVar(&f.pairs, "pair", nil, "instead compare pairs of models by how often the draft is right: NAME=DRAFT of another draft, or NAME=TARGET,DRAFT (can be repeated)")
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 2)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 64)")
	flags.IntSliceVar(&f.First, "first", nil, "also compare the first answers of new processes, of so many tokens: a list such as 16,32,64")
	flags.StringSliceVar(&f.delays, "delays", nil, "flash devices whose delays of reads are compared with the phone's: names or files of profiles, such as one that lever profile measured")
	flags.StringVar(&f.Record, "record", "", "file of a trace to write or, if it is there, to extend")
	flags.StringVar(&f.Replay, "replay", "", "file of a trace to take in place of models and prompts")
}

func (f *simulateFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Model != "" && f.Draft == "" {
		return nil, cli.UsageErrorf("--model needs --draft")
	}
	if len(f.pairs) > 0 && (f.Record != "" || f.Replay != "" || f.Parallel != "" || f.First != nil || f.delays != nil) {
		return nil, cli.UsageErrorf("--pair goes with none of --record, --replay, --parallel-draft, --first and --delays: nothing else is simulated")
	}
	o := f.Options
	if c.quick {
		o.Targets = simulate.Targets[:1]
		o.SparsePhones = simulate.SparsePhones[:1]
		o.Phones = []simulate.Phone{simulate.Phones[0], simulate.Phones[len(simulate.Phones)-1]}
	}
	o.Progress = unevenProgress("simulate", "figures")
	for _, name := range f.delays {
		flash, err := cli.LoadFlash(name)
		if err != nil {
			return nil, err
		}
		o.Delays = append(o.Delays, flash)
	}
	if o.Replay != "" {
		if o.Model != "" || o.Draft != "" || c.prompts != "" || o.Prompts != 0 || o.Tokens != 0 || o.Record != "" || o.Parallel != "" {
			return nil, cli.UsageErrorf("--replay goes with none of --model, --draft, --parallel-draft, --prompts, --prompts-per-set, --tokens and --record: a trace has models and prompts of its own")
		}
		return simulate.Run(ctx, o)
	}
	var err error
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	if o.Model, o.Draft, err = cli.ChooseModels(ctx, o.Model, o.Draft); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Prompts, 1)
		setDefault(&o.Tokens, 32)
		o.Sets = o.Sets[:min(2, len(o.Sets))]
	}
	if len(f.pairs) == 0 {
		return simulate.Run(ctx, o)
	}
	pairs, err := f.otherPairs(o.Model)
	if err != nil {
		return nil, err
	}
	o.Progress = unevenProgress("simulate", "pairs")
	return simulate.RunPairs(ctx, o, pairs)
}

// otherPairs returns the pairs of --pair. A draft alone is of the target.
func (f *simulateFlags) otherPairs(target string) (pairs []simulate.Pair, err error) {
	for _, text := range f.pairs {
		name, models, _ := strings.Cut(text, "=")
		p := simulate.Pair{Name: name, Model: target, Draft: models}
		if model, draft, two := strings.Cut(models, ","); two {
			p.Model, p.Draft = model, draft
		}
		if p.Name == "" || p.Model == "" || p.Draft == "" {
			return nil, cli.UsageErrorf("--pair %q is no NAME=DRAFT or NAME=TARGET,DRAFT", text)
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}
