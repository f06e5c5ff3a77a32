package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/cobra"
)

// sharedFolder lies beside the repository and holds what experiments use if they can.
const sharedFolder = "../shared"

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench EXPERIMENT",
		Short: "Run an experiment: policies",
		Args:  exactArgs(1, "an experiment, policies"),
		RunE: func(_ *cobra.Command, args []string) error {
			return usageErrorf("unknown experiment %q; choose policies", args[0])
		},
	}
	cmd.AddCommand(newBenchPoliciesCommand())
	return cmd
}

// demoDRAM is the memory for the target's weights with which the demo is streamed: about a quarter of what they need.
const demoDRAM = 4 << 20

// benchPoliciesFlags are the flags of bench policies.
type benchPoliciesFlags struct {
	policies.Options
	dram, passBytes byteSize
	prompts, out    string
	flash           string
	quick, check    bool
	asJSON          bool
	kernels         []string
	types           []string
}

func newBenchPoliciesCommand() *cobra.Command {
	var f benchPoliciesFlags
	cmd := &cobra.Command{
		Use:   "policies",
		Short: "Compare draft policies on flash of a phone's speed",
		Long: `Compare draft policies on four sets of prompts. The target is streamed from a simulated flash device that is slower in proportion, so
that a pass over a small model takes as long as one over a large model. Prints a table and writes policies.json, policies.png and policies.svg.

With --check nothing is timed: all policies, budgets, kernel sets and element types, resident and streamed, must give the tokens of plain
decoding.

Without --model the demo pair runs. Prompts are read from ` + sharedFolder + `/data/prompts; where that is absent, a few of our own take their place.`,
		Example: `  lever bench policies
  lever bench policies --quick
  lever bench policies --flash-profile mid-range --tokens 100
  lever bench policies --check --prompts-per-set 2`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Model, "model", "", "target model: a store, a Hugging Face folder or a GGUF file (default: the embedded demo)")
	flags.StringVar(&f.Draft, "draft", "", "draft model, given in the same ways (default: the demo's)")
	flags.Var(&f.dram, "dram", "memory for the target's weights, less than they need (default: 4MiB, for the demo)")
	flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
	flags.StringVar(&f.prompts, "prompts", "", "folder of gsm8k.jsonl, humaneval.jsonl, mbpp.jsonl and mt_bench.jsonl (default: "+sharedFolder+"/data/prompts)")
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 6; all with --check)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 64; 32 with --check)")
	flags.IntVar(&f.Budget, "budget", 0, "most tokens drafted for a pass, but for chains (default: 64; 1, 2, 7, 16 and 64 with --check)")
	flags.StringVar(&f.flash, "flash-profile", "ufs-4.0", "flash device: the name or file of a profile")
	flags.Var(&f.passBytes, "pass-bytes", "what the bytes that a pass streams count for (default: 4.5GB, 8 billion parameters in Q4_0)")
	flags.IntVar(&f.Devices, "devices", 0, "simulated devices for each set, at work at the same time on its prompts (default: 3)")
	flags.BoolVar(&f.Trees, "trees", false, "record every pass and its tree in policies.json")
	flags.StringVar(&f.out, "out", "lever-bench", "folder for the results")
	flags.BoolVar(&f.asJSON, "json", false, "print the JSON object in place of the table")
	flags.BoolVar(&f.quick, "quick", false, "one short answer for each set and policy, on a model of a sixth: under a minute")
	flags.BoolVar(&f.check, "check", false, "compare the output of all policies with plain decoding instead")
	flags.StringSliceVar(&f.kernels, "kernels", nil, "with --check: kernel sets (default: all that this processor has)")
	flags.StringSliceVar(&f.types, "types", nil, "with --check: element types that the models are converted to (default: q4_0,q8_0)")
	return cmd
}

func (f *benchPoliciesFlags) run(cmd *cobra.Command) error {
	if f.Model != "" && f.Draft == "" {
		return usageErrorf("--model needs --draft")
	}
	if min(f.Prompts, f.Tokens, f.Budget, f.Devices, f.Threads) < 0 || f.Budget > lever.MaxBudget {
		return usageErrorf("a number is negative, or the budget above %d", lever.MaxBudget)
	}
	var err error
	if f.Sets, err = f.loadSets(); err != nil {
		return err
	}
	if f.check {
		return interrupted(cmd.Context(), f.runCheck(cmd.Context()))
	}
	return interrupted(cmd.Context(), f.runComparison(cmd.Context()))
}

// loadSets reads the prompts, or says that it can't and returns those built in.
func (f *benchPoliciesFlags) loadSets() ([]bench.Set, error) {
	dir := f.prompts
	if dir == "" {
		dir = filepath.FromSlash(sharedFolder + "/data/prompts")
	}
	sets, err := bench.LoadSets(dir)
	if f.prompts == "" && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "lever: no data sets in %s: a few prompts of our own take their place, so the figures are not those of the data sets\n", dir)
		return bench.BuiltinSets(), nil
	}
	return sets, err
}

func (f *benchPoliciesFlags) runComparison(ctx context.Context) error {
	o := f.Options
	var err error
	if o.Flash, err = loadFlash(f.flash); err != nil {
		return err
	}
	if o.Model == "" {
		o.DRAM = demoDRAM
	}
	if o.Model, o.Draft, err = chooseModels(ctx, o.Model, o.Draft); err != nil {
		return err
	}
	if f.dram > 0 {
		o.DRAM = int64(f.dram)
	}
	o.PassBytes = int64(f.passBytes)
	if f.quick {
		setDefault(&o.Prompts, 1)
		setDefault(&o.Tokens, 24)
		setDefault(&o.WarmTokens, 24)
		setDefault(&o.PassBytes, policies.Bytes8B/6)
	}
	o.Progress = answerProgress("policies")
	report, err := policies.Run(ctx, o)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(report)
	} else {
		err = report.WriteTable(os.Stdout)
	}
	if err := errors.Join(err, report.Save(f.out)); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "results are in %s\n", f.out)
	if n := report.Summary.Differences; n > 0 {
		return fmt.Errorf("%d of %d answers are not those of plain decoding", n, report.Summary.Compared)
	}
	return nil
}

func setDefault[T int | int64](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// answerProgress returns a callback that prints a line for every twentieth of the work.
func answerProgress(task string) func(done, total int) {
	began, shown := time.Now(), 0
	return func(done, total int) {
		if part := 20 * done / total; part > shown {
			shown = part
			passed := time.Since(began)
			left := time.Duration(float64(passed) * float64(total-done) / float64(done))
			fmt.Fprintf(os.Stderr, "%s: %d of %d answers, %s, about %s left\n", task, done, total, passed.Round(time.Second), left.Round(time.Second))
		}
	}
}

// runCheck compares outputs.
func (f *benchPoliciesFlags) runCheck(ctx context.Context) (err error) {
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
		Progress: answerProgress("check"),
	}
	if f.Budget > 0 {
		options.Budgets = []int{f.Budget}
	}
	report, err := policies.Check(ctx, options)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(report)
	} else {
		err = report.WriteTable(os.Stdout)
	}
	if n := report.Different(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d answers are not those of plain decoding", n, report.Answers()))
	}
	return err
}

// checkPairs returns the models to check: those given, or the demo's, in each element type. A store can't be converted: it is taken as it
// is, and so are the embedded demo models where those they were made from are absent.
func (f *benchPoliciesFlags) checkPairs(ctx context.Context, dir string) ([]policies.Pair, error) {
	model, draft := f.Model, f.Draft
	if model == "" {
		models := filepath.FromSlash(sharedFolder + "/models/lever-tiny-llama")
		model, draft = filepath.Join(models, "target"), filepath.Join(models, "draft")
		if _, err := os.Stat(model); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "lever: no %s to convert to other element types: the embedded demo models are checked as they are\n", models)
			if model, draft, err = chooseModels(ctx, "", ""); err != nil {
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
		t, err := parseStoreType(name)
		if err != nil {
			return nil, err
		}
		pair := policies.Pair{
			Name: name, Model: filepath.Join(dir, name+"-target.lever"), Draft: filepath.Join(dir, name+"-draft.lever"), StreamingDRAM: dram,
		}
		for from, to := range map[string]string{model: pair.Model, draft: pair.Draft} {
			if err := weights.Convert(ctx, from, to, weights.ConvertOptions{Type: t}); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}
