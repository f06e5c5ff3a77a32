package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/profile"
)

// A profile is shown, kept, and can be used as the flash of a run.
func TestProfile(t *testing.T) {
	out := filepath.Join(t.TempDir(), "sub", "profile.json")
	got := clitest.MustSucceed(t, "profile", "--duration", "60ms", "--out", out)
	for _, word := range []string{"memory:", "flash: ", "95 % of the fastest", "target.lever", "draft.lever", "rows", "block ms"} {
		if !strings.Contains(got.Stdout, word) {
			t.Errorf("standard output lacks %q: %s", word, got.Stdout)
		}
	}
	if !strings.Contains(got.Stderr, out) {
		t.Errorf("standard error does not say where the profile is: %s", got.Stderr)
	}
	p, err := profile.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if p.Target == nil || p.Draft == nil {
		t.Errorf("%+v", p)
	}
	if r := runJSON(t, "--max-tokens", "8", "--dram", "2MiB", "--flash-profile", out, ducks); r.BytesRead == 0 {
		t.Error("nothing was read through the profile")
	}

	got = clitest.MustSucceed(t, "profile", "--duration", "30ms", "--json")
	if _, err := profile.Parse([]byte(got.Stdout)); err != nil {
		t.Errorf("%v in %s", err, got.Stdout)
	}
	if _, err := profile.Load(filepath.Join(clitest.Cache, "profile.json")); err != nil {
		t.Error(err)
	}
}

func TestFlashProfileMakesReadingSlow(t *testing.T) {
	args := []string{"--max-tokens", "12", "--dram", "2MiB", "--policy", "none", ducks}
	fast := runJSON(t, args...)
	slow := runJSON(t, append(args, "--flash-profile", "sd-card")...)
	if slow.Text != fast.Text {
		t.Errorf("text %q, want %q", slow.Text, fast.Text)
	}
	if bandwidth := float64(slow.BytesRead) / slow.Seconds; bandwidth > 100e6 || slow.BytesRead == 0 {
		t.Errorf("an SD card read %.0f bytes per second", bandwidth)
	}
}

func TestPrintOverrun(t *testing.T) {
	for overrun, word := range map[time.Duration]string{0: "", time.Millisecond: "", time.Second: "10 %"} {
		var out strings.Builder
		cli.PrintOverrun(&out, flashsim.Stats{ReadTime: 10 * time.Second, Overrun: overrun})
		if !strings.Contains(out.String(), word) || (out.Len() > 0) != (word != "") {
			t.Errorf("an overrun of %v gives %q", overrun, out.String())
		}
	}
	var out strings.Builder
	if cli.PrintOverrun(&out, flashsim.Stats{}); out.Len() > 0 {
		t.Errorf("no reads give %q", out.String())
	}
}

func TestProfileErrors(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	writeFile(t, broken, []byte(`{"format": "lever-profile", "version": 9}`))
	for name, test := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"no such flash":    {[]string{"run", "--flash-profile", "floppy", ducks}, cli.ExitFailure, "ufs-4.0"},
		"broken profile":   {[]string{"run", "--flash-profile", broken, ducks}, cli.ExitFailure, "broken.json"},
		"no such model":    {[]string{"profile", "--model", "/nowhere.lever"}, cli.ExitFailure, "/nowhere.lever"},
		"bad duration":     {[]string{"profile", "--duration", "0s"}, cli.ExitUsage, "duration"},
		"no such folder":   {[]string{"run", "--trace", "/nowhere/trace.json", ducks}, cli.ExitFailure, "/nowhere"},
		"too many":         {[]string{"profile", "now"}, cli.ExitUsage, "arg"},
		"nothing to write": {[]string{"profile", "--duration", "50ms", "--out", "/proc/none/profile.json"}, cli.ExitFailure, "/proc/none"},
	} {
		t.Run(name, func(t *testing.T) {
			got := clitest.Execute(t, test.args...)
			if got.Status != test.status || !strings.Contains(got.Stderr, test.says) {
				t.Errorf("status %d, want %d; standard error %q", got.Status, test.status, got.Stderr)
			}
		})
	}
}

// traceEvent is an event of Chrome's trace format.
type traceEvent struct {
	Name   string         `json:"name"`
	Phase  string         `json:"ph"`
	Thread int            `json:"tid"`
	Begin  float64        `json:"ts"`
	Length float64        `json:"dur"`
	Args   map[string]any `json:"args"`
}

// readTrace returns the events of each lane.
func readTrace(t *testing.T, path string) map[string][]traceEvent {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []traceEvent
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatalf("the trace is not valid: %v", err)
	}
	names, lanes := map[int]string{}, map[string][]traceEvent{}
	for _, e := range events {
		switch {
		case e.Name == "thread_name":
			names[e.Thread] = e.Args["name"].(string)
		case e.Phase == "X":
			lanes[names[e.Thread]] = append(lanes[names[e.Thread]], e)
		}
	}
	return lanes
}

// A trace of a streamed run has all lanes, and reads go on while the models compute.
func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	r := runJSON(t, "--max-tokens", "40", "--dram", "4MiB", "--flash-profile", "ufs-3.1", "--trace", path, ducks)
	lanes := readTrace(t, path)
	for _, name := range []string{"reader 1", "reader 2", "target", "verification", "draft"} {
		if len(lanes[name]) == 0 {
			t.Errorf("nothing on lane %q", name)
		}
	}
	trees := 0
	for _, e := range lanes["verification"] {
		if e.Name == "tree" {
			trees++
		}
	}
	if trees != r.Passes {
		t.Errorf("%d trees on the verification lane, %d passes", trees, r.Passes)
	}
	overlapping := 0
	for _, read := range append(lanes["reader 1"], lanes["reader 2"]...) {
		for _, block := range lanes["target"] {
			if read.Begin < block.Begin+block.Length && block.Begin < read.Begin+read.Length {
				overlapping++
				break
			}
		}
	}
	if overlapping == 0 {
		t.Error("no read overlaps the target")
	}
}

func TestTraceIsValidAfterInterrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	cmd := clitest.Program(t, "run", "--max-tokens", "0", "--raw", "--dram", "4MiB", "--flash-profile", "sd-card", "--trace", path, "def add(a, b):")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if lanes := readTrace(t, path); len(lanes["target"]) == 0 {
		t.Error("the trace is empty")
	}
}
