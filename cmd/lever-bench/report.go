package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/publish"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// reportFlags are the flags of report.
type reportFlags struct {
	experimentFlags
	all  bool
	only []string
}

func newReportCommand() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Make one page of the results of all experiments",
		Long: `Make one HTML page, report.html, of the results of all experiments in a folder. It loads nothing from elsewhere. Experiments that have
no result there are run first, with the demo models and their usual settings; with --all, every one is, and with --quick each takes
less than a minute. For other models or settings run an experiment by itself, into the same folder, and then make the page.`,
		Example: `  lever-bench report --quick --all                # everything, in short form
  lever-bench report --only policies,flash        # some experiments, in this order
  lever-bench endtoend --model llama-8b.lever --draft llama-1b.lever --dram 1GiB && lever-bench report`,
		Args: cli.ExactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.Interrupted(cmd.Context(), f.run(cmd.Context()))
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.quick, "quick", false, "run experiments in their short form, under a minute each")
	flags.StringVar(&f.prompts, "prompts", "", "folder of the data sets (default: "+sharedFolder+"/data/prompts)")
	flags.StringVar(&f.out, "out", "bench-results", "folder of the results and of the page")
	flags.BoolVar(&f.all, "all", false, "run all experiments anew")
	flags.StringSliceVar(&f.only, "only", nil, "experiments to show, in this order (default: all)")
	return cmd
}

// run writes the page. Where an experiment fails, the others are shown all the same.
func (f *reportFlags) run(ctx context.Context) error {
	chosen, err := f.choose()
	if err != nil {
		return err
	}
	var reports []*report.Report
	var failures []error
	for _, e := range chosen {
		r, err := f.result(ctx, e)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", e.name, err))
		}
		if r != nil {
			reports = append(reports, r)
		}
		for _, name := range e.variants {
			r, err := report.Load(f.out, name)
			if err == nil {
				r.Experiment = e.name
				reports = append(reports, r)
			} else if !errors.Is(err, fs.ErrNotExist) {
				failures = append(failures, err)
			}
		}
		if ctx.Err() != nil {
			return errors.Join(failures...)
		}
	}
	var page strings.Builder
	if err := report.WritePage(&page, "Lever: experiments", reports); err != nil {
		return errors.Join(append(failures, err)...)
	}
	path := filepath.Join(f.out, "report.html")
	err = os.MkdirAll(f.out, 0o755)
	if err == nil {
		err = publish.WriteFile(path, []byte(page.String()), 0o644)
	}
	if err == nil {
		fmt.Fprintln(cli.Stdout, path)
	}
	return errors.Join(append(failures, err)...)
}

// choose returns the experiments to show.
func (f *reportFlags) choose() (chosen []*experiment, err error) {
	var names []string
	byName := map[string]*experiment{}
	for _, make := range experiments {
		e := make()
		names = append(names, e.name)
		byName[e.name] = e
	}
	if len(f.only) > 0 {
		names = f.only
	}
	for _, name := range names {
		e := byName[name]
		if e == nil {
			return nil, cli.UsageErrorf("--only: there is no experiment %q", name)
		}
		chosen = append(chosen, e)
	}
	return chosen, nil
}

// result returns the report of an experiment: that in the folder or, if there is none, a new one.
func (f *reportFlags) result(ctx context.Context, e *experiment) (*report.Report, error) {
	if !f.all {
		if r, err := report.Load(f.out, e.name); !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
	}
	fmt.Fprintf(cli.Stderr, "lever-bench: running experiment %s\n", e.name)
	if e.flags != nil {
		e.flags(pflag.NewFlagSet(e.name, pflag.ContinueOnError)) // this sets its flags to their defaults
	}
	r, err := e.run(ctx, f.experimentFlags)
	if r != nil {
		err = errors.Join(err, r.Save(f.out))
	}
	return r, err
}
