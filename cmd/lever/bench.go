package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// sharedFolder lies beside the repository and holds what experiments use if they can.
const sharedFolder = "../shared"

func newBenchCommand() *cobra.Command {
	const group = "experiments"
	var names []string
	cmd := &cobra.Command{
		Use:   "bench EXPERIMENT",
		Short: "Run an experiment, or make a page of the results of all",
		Long: `Run an experiment: it prints its tables and writes them as JSON, and its plots as PNG and SVG, into a folder. All have a short form, --quick,
and run with the embedded demo models where none are given.

'lever bench report' runs all that have no result in the folder yet, and makes one page of the results; with --all it runs every one anew.`,
		Example: `  lever bench flash --quick
  lever bench report --quick --all`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddGroup(&cobra.Group{ID: group, Title: "Experiments:"})
	for _, e := range experiments {
		c := e().command()
		c.GroupID = group
		cmd.AddCommand(c)
	}
	cmd.AddCommand(newBenchReportCommand(), newBenchInflateCommand())
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageErrorf("unknown experiment %q; choose from %s", args[0], strings.Join(names, ", "))
		}
		return nil
	}
	return cmd
}
