package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/profile"
)

func TestRunWithNPU(t *testing.T) {
	run := func(args ...string) (lever.Result, string) {
		t.Helper()
		got := clitest.MustSucceed(t, append([]string{"run", "--max-tokens", "6", "--json", "2 + 2 is"}, args...)...)
		var r lever.Result
		if err := json.Unmarshal([]byte(got.Stdout), &r); err != nil {
			t.Fatalf("%v in\n%s", err, got.Stdout)
		}
		return r, got.Stdout
	}
	want, text := run()
	if strings.Contains(text, "npu") {
		t.Errorf("a device without one:\n%s", text)
	}
	got, text := run("--npu", "sim:mid-range", "--map", "draft=cpu,verify=npu,head=ondemand-cpu")
	if got.Text != want.Text {
		t.Errorf("%q with a device, %q without", got.Text, want.Text)
	}
	for _, key := range []string{`"npu"`, `"placement"`, `"npu_rows"`, `"npu_seconds"`, `"cpu_fallbacks": 0`} {
		if !strings.Contains(text, key) {
			t.Errorf("no %s in\n%s", key, text)
		}
	}
	if got.NPUStats == nil || got.Products == 0 {
		t.Errorf("nothing ran on the device: %+v", got.NPUStats)
	}
}

func TestRunWithoutTheNPUThatIsNamed(t *testing.T) {
	got := clitest.MustSucceed(t, "run", "--max-tokens", "2", "--npu", "sim:"+filepath.Join(t.TempDir(), "none.json"), "2 + 2 is")
	if !strings.Contains(got.Stderr, "is absent, everything runs on the CPU") {
		t.Errorf("standard error:\n%s", got.Stderr)
	}
}

func TestRunSaysWhatTheNPUDid(t *testing.T) {
	got := clitest.MustSucceed(t, "run", "--max-tokens", "2", "--npu", "host", "--map", "verify=npu", "2 + 2 is")
	if !strings.Contains(got.Stderr, "NPU CPU, kernels") || !strings.Contains(got.Stderr, "verify=npu") {
		t.Errorf("standard error:\n%s", got.Stderr)
	}
}

func TestProfileOfNPU(t *testing.T) {
	file := filepath.Join(t.TempDir(), "profile.json")
	got := clitest.MustSucceed(t, "profile", "--npu", "host", "--duration", "200ms", "--out", file)
	if !strings.Contains(got.Stdout, "a submit takes") || !strings.Contains(got.Stdout, "NPU ms/16 MiB") {
		t.Errorf("standard output:\n%s", got.Stdout)
	}
	p, err := profile.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if p.NPU == nil || p.NPU.Driver != "host" || p.NPU.Costs.Submit <= 0 || len(p.NPU.CPU.Rates) == 0 {
		t.Errorf("the device in the profile: %+v", p.NPU)
	}
	clitest.MustSucceed(t, "run", "--max-tokens", "2", "--npu", "host", "--profile", file, "2 + 2 is")
}

func TestDriversAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range npu.Drivers() {
		if !strings.Contains(string(page), "\n| `"+name+"` | ") {
			t.Errorf("docs/command-line.md does not list the driver %s", name)
		}
	}
}

func TestNPUUsageErrors(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown driver":          {"run", "--npu", "abacus", "x"},
		"unknown driver, profile": {"profile", "--npu", "abacus"},
		"a map alone":             {"run", "--map", "draft=cpu", "x"},
		"unknown stage":           {"run", "--npu", "host", "--map", "block=cpu", "x"},
		"unknown place":           {"run", "--npu", "host", "--map", "draft=gpu", "x"},
		"unknown head":            {"run", "--npu", "host", "--map", "head=npu", "x"},
	} {
		if got := clitest.Execute(t, args...); got.Status != cli.ExitUsage {
			t.Errorf("%s: status %d, standard error %q", name, got.Status, got.Stderr)
		}
	}
}
