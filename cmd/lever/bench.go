package main

import "github.com/spf13/cobra"

// newBenchCommand makes the command that hands over to the program of the experiments.
func newBenchCommand() *cobra.Command {
	return handOver("lever-bench", &cobra.Command{
		Use:   "bench EXPERIMENT",
		Short: "Run an experiment, or make a page of the results of all (runs lever-bench)",
		Long:  `Run an experiment, such as a comparison of draft policies, or make a page of the results of all.`,
		Example: `  lever bench flash --quick
  lever bench report --quick --all`,
	})
}
