package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
	"github.com/spf13/pflag"
)

// demoDRAM is the memory for the target's weights with which the demo is streamed: about a quarter of what they need.
const demoDRAM = 4 << 20

// policiesFlags are the flags of policies.
type policiesFlags struct {
	policies.Options
	dram, passBytes cli.ByteSize
	flash           string
	check, copying  bool
	kernels         []string
	types           []string
}

func newPoliciesExperiment() *experiment {
	f := &policiesFlags{}
	return &experiment{
		name:  "policies",
		short: "Compare draft policies on flash of a phone's speed",
		long: `Compare draft policies on four sets of prompts. The target is streamed from a simulated flash device that is slower in proportion, so
that a pass over a small model takes as long as one over a large model.

With --check nothing is timed: all policies, budgets, kernel sets and element types, resident and streamed, must give the tokens of plain
decoding. That takes hours; --quick, about a minute, takes the kernels in use, three budgets and a prompt of each set.

With --copying the target is made to answer with files of one change and with quotes, which models of a few billion parameters give and the
demo's can't: what it costs is its own, what it says is given.

Without --model the demo pair runs. Prompts are read from ` + sharedFolder + `/data/prompts; where that is absent, a few of our own take their place.`,
		example: `  lever-bench policies
  lever-bench policies --quick
  lever-bench policies --flash-profile mid-range --tokens 100
  lever-bench policies --copying
  lever-bench policies --check --quick`,
		flags: f.register,
		run:   f.run,
	}
}

func (f *policiesFlags) register(flags *pflag.FlagSet) {
	registerPair(flags, &f.Model, &f.Draft)
	flags.Var(&f.dram, "dram", "memory for the target's weights, less than they need (default: 4MiB, for the demo)")
	flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 6; all with --check)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 64; 32 with --check)")
	flags.IntVar(&f.Budget, "budget", 0, "most tokens drafted for a pass, but for chains (default: 64; 1, 2, 7, 16 and 64 with --check)")
	flags.StringVar(&f.flash, "flash-profile", "ufs-4-measured", "flash device: the name or file of a profile")
	flags.Var(&f.passBytes, "pass-bytes", "what the bytes that a pass streams count for (default: 4.5GB, 8 billion parameters in Q4_0)")
	flags.IntVar(&f.Devices, "devices", 0, "simulated devices for each set, at work at the same time on its prompts (default: 3)")
	flags.BoolVar(&f.Trees, "trees", false, "record every pass and its tree in policies.json")
	flags.BoolVar(&f.copying, "copying", false, "let the target give answers that are for the most part in the prompt, and compare drafts with and without look-up")
	flags.BoolVar(&f.check, "check", false, "compare the output of all policies with plain decoding instead")
	flags.StringSliceVar(&f.kernels, "kernels", nil, "with --check: kernel sets (default: all that this processor has)")
	flags.StringSliceVar(&f.types, "types", nil, "with --check: element types that the models are converted to (default: q4_0,q8_0)")
}

func (f *policiesFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Model != "" && f.Draft == "" {
		return nil, cli.UsageErrorf("--model needs --draft")
	}
	if min(f.Prompts, f.Tokens, f.Budget, f.Devices, f.Threads) < 0 || f.Budget > lever.MaxBudget {
		return nil, cli.UsageErrorf("a number is negative, or the budget above %d", lever.MaxBudget)
	}
	if f.check && f.copying {
		return nil, cli.UsageErrorf("--check compares the target's own answers, and --copying gives it others")
	}
	var err error
	if f.copying {
		f.Sets = bench.CopyingSets()
	} else if f.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	if f.check {
		return nil, f.runCheck(ctx, c)
	}
	return f.runComparison(ctx, c.quick)
}

func (f *policiesFlags) runComparison(ctx context.Context, quick bool) (*report.Report, error) {
	o := f.Options
	var err error
	if o.Flash, err = cli.LoadFlash(f.flash); err != nil {
		return nil, err
	}
	if o.Model == "" {
		o.DRAM = demoDRAM
	}
	if o.Model, o.Draft, err = cli.ChooseModels(ctx, o.Model, o.Draft); err != nil {
		return nil, err
	}
	if f.dram > 0 {
		o.DRAM = int64(f.dram)
	}
	o.PassBytes = int64(f.passBytes)
	if f.copying {
		setDefault(&o.Budget, 64)
		setDefault(&o.Tokens, 200)
		o.Variants = policies.CopyingVariants(o.Budget)
	}
	if quick { // one short answer for each set and policy, on a model of a sixth
		setDefault(&o.Prompts, 1)
		setDefault(&o.Tokens, 24)
		setDefault(&o.WarmTokens, 24)
		setDefault(&o.PassBytes, policies.Bytes8B/6)
	}
	o.Progress = stepProgress("policies", "answers")
	result, err := policies.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if n := result.Summary.Differences; n > 0 {
		err = fmt.Errorf("%d of %d answers are not those of plain decoding", n, result.Summary.Compared)
	}
	return result.Present(), err
}

func setDefault[T ~int | ~int64](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// runCheck compares outputs.
func (f *policiesFlags) runCheck(ctx context.Context, c experimentFlags) (err error) {
	dir, err := os.MkdirTemp("", "lever-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pairs, err := f.checkPairs(ctx, dir)
	if err != nil {
		return err
	}
	options := policies.CheckOptions{
		Pairs: pairs, Sets: f.Sets, Kernels: f.kernels, Prompts: f.Prompts, Tokens: f.Tokens, Threads: f.Threads,
		Progress: stepProgress("check", "answers"),
	}
	if c.quick { // one short answer for each set, policy and some budgets, with the kernels that are in use
		setDefault(&options.Prompts, 1)
		setDefault(&options.Tokens, 16)
		options.Budgets = []int{1, 7, 64}
		if options.Kernels == nil {
			options.Kernels = []string{kernels.Default().Name()}
		}
	}
	if f.Budget > 0 {
		options.Budgets = []int{f.Budget}
	}
	result, err := policies.Check(ctx, options)
	if err != nil {
		return err
	}
	if c.asJSON {
		err = cli.PrintJSON(result)
	} else {
		err = result.WriteTable(cli.Stdout)
	}
	if n := result.Different(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d answers are not those of plain decoding", n, result.Answers()))
	}
	return err
}

// checkPairs returns the models to check: those given, or the demo's, in each element type. A store can't be converted: it is taken as it
// is, and so are the embedded demo models where those they were made from are absent.
func (f *policiesFlags) checkPairs(ctx context.Context, dir string) ([]policies.Pair, error) {
	model, draft := f.Model, f.Draft
	if model == "" {
		models := filepath.FromSlash(sharedFolder + "/models/lever-tiny-llama")
		model, draft = filepath.Join(models, "target"), filepath.Join(models, "draft")
		if _, err := os.Stat(model); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(cli.Stderr, "lever-bench: no %s to convert to other element types: the embedded demo models are checked as they are\n", models)
			if model, draft, err = cli.ChooseModels(ctx, "", ""); err != nil {
				return nil, err
			}
		}
	}
	dram := int64(f.dram)
	if dram == 0 {
		dram = demoDRAM
	}
	if isStore, err := weights.IsStore(model); err != nil || isStore {
		return []policies.Pair{{Name: filepath.Base(model), Model: model, Draft: draft, StreamingDRAM: dram}}, err
	}
	types := f.types
	if types == nil {
		types = []string{"q4_0", "q8_0"}
	}
	var pairs []policies.Pair
	for _, name := range types {
		t, err := cli.ParseStoreType(name)
		if err != nil {
			return nil, err
		}
		pair := policies.Pair{
			Name: name, Model: filepath.Join(dir, name+"-target.lever"), Draft: filepath.Join(dir, name+"-draft.lever"), StreamingDRAM: dram,
		}
		for from, to := range map[string]string{model: pair.Model, draft: pair.Draft} {
			if err := convert.Convert(ctx, from, to, weights.WriteOptions{Type: t}); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}
