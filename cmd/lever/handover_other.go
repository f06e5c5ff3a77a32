//go:build !unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// become runs another program and ends as it does. An interrupt from the console reaches both.
func become(path string, args []string) error {
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var failure *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failure) {
		return fmt.Errorf("run %s: %w", path, err)
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}
