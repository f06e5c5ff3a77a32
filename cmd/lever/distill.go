package main

import "github.com/spf13/cobra"

// newDistillCommand makes the command that hands over to the program that trains.
func newDistillCommand() *cobra.Command {
	return handOver("lever-distill", &cobra.Command{
		Use:     "distill --model STORE --draft MODEL [--text PATH]...",
		Short:   "Train the predictor by which drafted tokens are dropped half-way (runs lever-distill)",
		Long:    `Train the predictor by which drafted tokens are dropped half-way through the target, and write it to the target's store.`,
		Example: `  lever distill --model Llama-3.1-8B.lever --draft Llama-3.2-1B.lever --text notes/`,
	})
}
