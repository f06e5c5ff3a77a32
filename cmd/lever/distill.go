package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

// newDistillCommand makes the command that hands over to the program that trains, which is one of its own so that this one stays small.
func newDistillCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "distill --model STORE --draft MODEL [--text PATH]...",
		Short: "Train the predictor by which drafted tokens are dropped half-way (runs lever-distill)",
		Long: `Train the predictor by which drafted tokens are dropped half-way through the target, and write it to the target's store. This runs the program
lever-distill with the same arguments: it lies beside this program or in the PATH. Get it by

  go install github.com/lever-go/lever/cmd/lever-distill@latest`,
		Example:            `  lever distill --model Llama-3.1-8B.lever --draft Llama-3.2-1B.lever --text notes/`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			path, err := findDistill()
			if err != nil {
				return err
			}
			program := exec.CommandContext(cmd.Context(), path, args...)
			program.Cancel = func() error { return program.Process.Signal(os.Interrupt) }
			program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
			return interrupted(cmd.Context(), program.Run())
		},
	}
}

// findDistill returns the path of lever-distill.
func findDistill() (string, error) {
	const name = "lever-distill"
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s is neither beside this program nor in the PATH; get it by go install github.com/lever-go/lever/cmd/%s@latest", name, name)
	}
	return path, err
}
