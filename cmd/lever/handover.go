package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// handOver lets a command run another program of this module with its arguments. Such programs link much that this one does without, so that
// it stays small.
func handOver(program string, cmd *cobra.Command) *cobra.Command {
	cmd.Long += fmt.Sprintf(`

This runs the program %s with the same arguments: it lies beside this program or in the PATH. Get it by

  go install github.com/lever-go/lever/cmd/%[1]s@latest

or, in a clone of the repository, by

  go build ./cmd/%[1]s`, program)
	cmd.DisableFlagParsing = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := find(program)
		if errors.Is(err, exec.ErrNotFound) {
			if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
				return cmd.Help()
			}
			return fmt.Errorf(`%s is neither beside this program nor in the PATH; get it by 'go install github.com/lever-go/lever/cmd/%[1]s@latest', `+
				`or in a clone build it by 'go build ./cmd/%[1]s' or run it by 'go run ./cmd/%[1]s'`, program)
		}
		if err != nil {
			return err
		}
		return become(path, args)
	}
	return cmd
}

// find returns the path of a program that lies beside this one or in the PATH.
func find(program string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), program)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(program)
}
