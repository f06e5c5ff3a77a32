package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/testdata"
)

// asProgram, when set in the environment, makes the test binary behave as the program itself.
const asProgram = "LEVER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(runTests(m))
}

// cacheDir is shared by the tests of one run, so that the demo is unpacked once.
var cacheDir string

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lever-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cacheDir = dir
	return m.Run()
}

// outcome is what one run of the program left behind.
type outcome struct {
	stdout, stderr string
	status         int
}

// program prepares a run of the program with a cache of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "LEVER_CACHE="+cacheDir)
	cmd.WaitDelay = time.Minute
	return cmd
}

func execute(t *testing.T, args ...string) outcome {
	t.Helper()
	return finish(t, program(t, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("lever %s: %v", strings.Join(cmd.Args[1:], " "), err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// mustSucceed runs the program and fails the test unless it exits with 0.
func mustSucceed(t *testing.T, args ...string) outcome {
	t.Helper()
	got := execute(t, args...)
	if got.status != 0 {
		t.Fatalf("lever %s: status %d\n%s", strings.Join(args, " "), got.status, got.stderr)
	}
	return got
}

// runJSON runs `lever run --json` and decodes what it prints.
func runJSON(t *testing.T, args ...string) runOutput {
	t.Helper()
	got := mustSucceed(t, append([]string{"run", "--json"}, args...)...)
	var result runOutput
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		t.Fatalf("run --json printed %q: %v", got.stdout, err)
	}
	return result
}

// sharedModel returns the path of a model that tests share.
func sharedModel(t *testing.T, name string) string {
	t.Helper()
	return testdata.Shared(t, "models/"+name)
}
