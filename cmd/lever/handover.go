package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	cmd.ValidArgsFunction = completeBy(program)
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

// completeBy asks another program what its command line can go on with.
func completeBy(program string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		path, err := find(program)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ask := append(append([]string{cobra.ShellCompRequestCmd}, args...), toComplete)
		answer, err := exec.CommandContext(cmd.Context(), path, ask...).Output()
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		// A completion stands on each line, and a colon and what shells are to do with them on the last.
		lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
		last := len(lines) - 1
		directive, err := strconv.Atoi(strings.TrimPrefix(lines[last], ":"))
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return lines[:last], cobra.ShellCompDirective(directive)
	}
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
