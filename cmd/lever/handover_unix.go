//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// become replaces this program by another one, which so gets its signals and gives its exit status.
func become(path string, args []string) error {
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, append([]string{path}, args...), os.Environ()))
}
