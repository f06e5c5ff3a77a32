package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// sharedFolder lies beside the repository and holds what experiments use if they can.
const sharedFolder = "../shared"

func newBenchCommand() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "bench EXPERIMENT",
		Short: "Run an experiment, or make a page of the results of all",
	}
	for _, e := range experiments {
		cmd.AddCommand(e().command())
	}
	cmd.AddCommand(newBenchReportCommand(), newBenchInflateCommand())
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	known := strings.Join(names, ", ")
	cmd.Args = exactArgs(1, "an experiment, one of "+known)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return usageErrorf("unknown experiment %q; choose from %s", args[0], known)
	}
	return cmd
}
