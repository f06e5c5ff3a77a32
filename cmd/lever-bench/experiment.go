package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// experiment is a command whose result is a report.
type experiment struct {
	name    string // of the subcommand and of the report
	short   string
	long    string
	example string
	// variants are reports that it makes under other names, with other settings. A page shows those that are there.
	variants []string
	// flags adds its own flags to those that all experiments have; if nil, it has none.
	flags func(*pflag.FlagSet)
	// run runs it with the values of its flags. The report may come beside an error: it is shown and saved all the same.
	run func(ctx context.Context, c experimentFlags) (*report.Report, error)
}

// experiments make the experiments that bench report gathers, in the order of its page: from the parts of a pass to whole generations, then by the
// paper's figures, then what cost grows with, and last what types of weights cost in quality. Each call makes one with flags of its own.
var experiments = []func() *experiment{
	newKernelsExperiment, newFlashExperiment, newEndToEndExperiment, newSimulateExperiment, newTypesExperiment, newPoliciesExperiment, newPruneExperiment,
	newDraftSchedulingExperiment, newProjectionExperiment, newGrowthExperiment, newQualityExperiment,
}

// experimentFlags are the flags that all experiments have.
type experimentFlags struct {
	quick   bool // under a minute
	prompts string
	out     string
	asJSON  bool
}

func (f *experimentFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.quick, "quick", false, "fewer and smaller measurements: under a minute")
	flags.StringVar(&f.prompts, "prompts", "", "folder of gsm8k.jsonl, humaneval.jsonl, mbpp.jsonl and mt_bench.jsonl (default: "+sharedFolder+"/data/prompts)")
	flags.StringVar(&f.out, "out", "bench-results", "folder for the results")
	flags.BoolVar(&f.asJSON, "json", false, "print the JSON object in place of the tables")
}

// registerPair adds the flags of a target and its draft, for experiments that take any models.
func registerPair(flags *pflag.FlagSet, model, draft *string) {
	flags.StringVar(model, "model", "", "target model: a store, a Hugging Face folder or a GGUF file (default: the embedded demo)")
	flags.StringVar(draft, "draft", "", "draft model, given in the same ways (default: the demo's)")
}

// loadSets reads the prompts, or says that it can't and returns those built in.
func (f *experimentFlags) loadSets() ([]bench.Set, error) {
	dir := f.prompts
	if dir == "" {
		dir = filepath.FromSlash(sharedFolder + "/data/prompts")
	}
	sets, err := bench.LoadSets(dir)
	if f.prompts == "" && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(cli.Stderr, "lever-bench: no data sets in %s: a few prompts of our own take their place, so the figures are not those of the data sets\n", dir)
		return bench.BuiltinSets(), nil
	}
	return sets, err
}

// progress returns a callback that prints a line for every twentieth of the work.
func (e *experiment) progress() func(done, total int) { return stepProgress(e.name, "steps") }

// stepProgress returns a callback that prints a line for every twentieth of the work on a task, which is counted in units, and
// now and then in between. Units take about as long as each other.
func stepProgress(task, units string) func(done, total int) {
	return progressLines(task, units, true)
}

// unevenProgress is stepProgress for units of which some take much longer than others, so that nobody knows how much time is left.
func unevenProgress(task, units string) func(done, total int) {
	return progressLines(task, units, false)
}

func progressLines(task, units string, alike bool) func(done, total int) {
	began, shown := time.Now(), 0
	latest := began
	return func(done, total int) {
		if part := 20 * done / max(1, total); part > shown || time.Since(latest) > 15*time.Second {
			shown, latest = part, time.Now()
			passed, left := time.Since(began), ""
			if alike && done > 0 {
				left = fmt.Sprintf(", about %s left", time.Duration(float64(passed)*float64(total-done)/float64(done)).Round(time.Second))
			}
			fmt.Fprintf(cli.Stderr, "%s: %d of %d %s, %s%s\n", task, done, total, units, passed.Round(time.Second), left)
		}
	}
}

// command returns the subcommand that runs the experiment, prints its result, and saves it.
func (e *experiment) command() *cobra.Command {
	var f experimentFlags
	cmd := &cobra.Command{
		Use:     e.name,
		Short:   e.short,
		Long:    e.long,
		Example: e.example,
		Args:    cli.ExactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.Interrupted(cmd.Context(), e.runAndSave(cmd.Context(), f))
		},
	}
	f.register(cmd.Flags())
	if e.flags != nil {
		e.flags(cmd.Flags())
	}
	return cmd
}

func (e *experiment) runAndSave(ctx context.Context, f experimentFlags) error {
	r, err := e.run(ctx, f)
	if r == nil {
		return err
	}
	show := r.WriteText
	if f.asJSON {
		show = func(io.Writer) error { return cli.PrintJSON(r) }
	}
	if err := errors.Join(err, show(cli.Stdout), r.Save(f.out)); err != nil {
		return err
	}
	fmt.Fprintf(cli.Stderr, "results are in %s\n", f.out)
	return nil
}
