// Command lever-bench runs experiments and makes a page of their results. It is a program of its own so that command lever need not link
// what computes and draws them.
//
// Tables go to standard output, everything else to standard error. The exit status is 0 on success, 1 on failure and 2 when the command line
// could not be understood.
package main

import (
	"errors"
	"os"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/simulate"
	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/cobra"
)

// sharedFolder lies beside the repository and holds what experiments use if they can.
const sharedFolder = "../shared"

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes one command line and returns the exit status.
func run(args []string) int { return cli.Run(newRootCommand(), args, nextStep) }

func newRootCommand() *cobra.Command {
	cobra.EnableCommandSorting = false // help lists experiments in the order of the page
	const group = "experiments"
	root := &cobra.Command{
		Use:   "lever-bench",
		Short: "Run an experiment, or make a page of the results of all",
		Long: `Run an experiment: it prints its tables and writes them as JSON, and its plots as PNG and SVG, into a folder. All have a short form, --quick,
and run with the embedded demo models where none are given.

'lever-bench report' runs all that have no result in the folder yet, and makes one page of the results; with --all it runs every one anew.
Where this program lies beside the program lever or in the PATH, 'lever bench' runs it.`,
		Example: `  lever-bench flash --quick
  lever-bench report --quick --all`,
	}
	root.AddGroup(&cobra.Group{ID: group, Title: "Experiments:"})
	for _, e := range experiments {
		c := e().command()
		c.GroupID = group
		root.AddCommand(c)
	}
	root.AddCommand(newReportCommand(), newInflateCommand())
	cli.Prepare(root, "experiment")
	return root
}

// nextStep returns what a user can do about an error; empty where nothing is known that its text does not say.
func nextStep(err error) string {
	if errors.Is(err, simulate.ErrNotRecorded) {
		return "Extend it: 'lever-bench simulate --record FILE', with the models, prompts and numbers it was recorded with, asks for what it lacks."
	}
	if errors.Is(err, bench.ErrNotParallel) { // whose text says it: experiments have no flag that names a mask token
		return ""
	}
	return cli.NextStep(err)
}
