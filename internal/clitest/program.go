// Package clitest runs a test binary as the program that it tests, and looks at what is left.
package clitest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// asProgram, when set in the environment, makes the test binary behave as the program itself.
const asProgram = "LEVER_TEST_AS_PROGRAM"

// Cache is the folder of the programs' caches, which the tests of one run share, so that the demo is unpacked once.
var Cache string

// Main runs tests, or the program where the binary was started by [Program], and exits. It is called by TestMain.
func Main(m *testing.M, program func(args []string) int) {
	if os.Getenv(asProgram) != "" {
		os.Exit(program(os.Args[1:]))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lever-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	Cache = dir
	return m.Run()
}

// Outcome is what one run of the program left behind.
type Outcome struct {
	Stdout, Stderr string
	Status         int
}

// Program prepares a run of the program with the cache of the tests.
func Program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "LEVER_CACHE="+Cache)
	cmd.WaitDelay = time.Minute
	return cmd
}

// Execute runs the program.
func Execute(t *testing.T, args ...string) Outcome {
	t.Helper()
	return Finish(t, Program(t, args...))
}

// Finish runs what [Program] prepared.
func Finish(t *testing.T, cmd *exec.Cmd) Outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", strings.Join(cmd.Args[1:], " "), err)
	}
	return Outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// MustSucceed runs the program and fails the test unless it exits with 0.
func MustSucceed(t *testing.T, args ...string) Outcome {
	t.Helper()
	got := Execute(t, args...)
	if got.Status != 0 {
		t.Fatalf("%s: status %d\n%s", strings.Join(args, " "), got.Status, got.Stderr)
	}
	return got
}
