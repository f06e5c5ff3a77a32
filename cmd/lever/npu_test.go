package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/profile"
)

func TestRunWithNPU(t *testing.T) {
	run := func(args ...string) (lever.Result, string) {
		t.Helper()
		got := mustSucceed(t, append([]string{"run", "--max-tokens", "6", "--json", "2 + 2 is"}, args...)...)
		var r lever.Result
		if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
			t.Fatalf("%v in\n%s", err, got.stdout)
		}
		return r, got.stdout
	}
	want, text := run()
	if strings.Contains(text, "npu") {
		t.Errorf("a device without one:\n%s", text)
	}
	got, text := run("--npu", "sim:mid-range", "--map", "draft=cpu,verify=npu,head=ondemand-cpu")
	if got.Text != want.Text {
		t.Errorf("%q with a device, %q without", got.Text, want.Text)
	}
	for _, key := range []string{`"npu"`, `"map"`, `"npu_rows"`, `"npu_seconds"`, `"cpu_fallbacks": 0`} {
		if !strings.Contains(text, key) {
			t.Errorf("no %s in\n%s", key, text)
		}
	}
	if got.NPUStats == nil || got.Products == 0 {
		t.Errorf("nothing ran on the device: %+v", got.NPUStats)
	}
}

func TestRunWithoutTheNPUThatIsNamed(t *testing.T) {
	got := mustSucceed(t, "run", "--max-tokens", "2", "--npu", "sim:"+filepath.Join(t.TempDir(), "none.json"), "2 + 2 is")
	if !strings.Contains(got.stderr, "is absent, everything runs on the CPU") {
		t.Errorf("standard error:\n%s", got.stderr)
	}
}

func TestRunSaysWhatTheNPUDid(t *testing.T) {
	got := mustSucceed(t, "run", "--max-tokens", "2", "--npu", "host", "--map", "verify=npu", "2 + 2 is")
	if !strings.Contains(got.stderr, "NPU CPU, kernels") || !strings.Contains(got.stderr, "verify=npu") {
		t.Errorf("standard error:\n%s", got.stderr)
	}
}

func TestProfileOfNPU(t *testing.T) {
	file := filepath.Join(t.TempDir(), "profile.json")
	got := mustSucceed(t, "profile", "--npu", "host", "--duration", "200ms", "--out", file)
	if !strings.Contains(got.stdout, "a submit takes") || !strings.Contains(got.stdout, "NPU ms/16 MiB") {
		t.Errorf("standard output:\n%s", got.stdout)
	}
	p, err := profile.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if p.NPU == nil || p.NPU.Driver != "host" || p.NPU.Costs.Submit <= 0 || len(p.NPU.CPU.Rates) == 0 {
		t.Errorf("the device in the profile: %+v", p.NPU)
	}
	mustSucceed(t, "run", "--max-tokens", "2", "--npu", "host", "--profile", file, "2 + 2 is")
}

func TestNPUUsageErrors(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown driver":          {"run", "--npu", "abacus", "x"},
		"unknown driver, profile": {"profile", "--npu", "abacus"},
		"a map alone":             {"run", "--map", "draft=cpu", "x"},
		"unknown stage":           {"run", "--npu", "host", "--map", "block=cpu", "x"},
		"unknown engine":          {"run", "--npu", "host", "--map", "draft=gpu", "x"},
		"unknown head":            {"run", "--npu", "host", "--map", "head=npu", "x"},
	} {
		if got := execute(t, args...); got.status != exitUsage {
			t.Errorf("%s: status %d, standard error %q", name, got.status, got.stderr)
		}
	}
}

func TestBenchMapping(t *testing.T) {
	out := t.TempDir()
	got := mustSucceed(t, "bench", "projection", "--prompts-per-set", "1", "--tokens", "2", "--out", out)
	for _, want := range []string{"snapdragon-8-gen-3", "mid-range", "goal"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if files, err := filepath.Glob(filepath.Join(out, "projection*.png")); err != nil || len(files) < 3 {
		t.Errorf("wrote %v, %v", files, err)
	}
	for _, name := range []string{"draft-scheduling", "projection"} {
		if got := execute(t, "bench", name, "--tokens", "-1"); got.status != exitUsage {
			t.Errorf("%s: status %d, standard error %q", name, got.status, got.stderr)
		}
	}
}
