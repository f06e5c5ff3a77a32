package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/kernels"
)

func TestMain(m *testing.M) { clitest.Main(m, run) }

// The tests run where there is no folder ../shared.
func TestPoliciesSaysThatItHasNoDataSets(t *testing.T) {
	out := filepath.Join(t.TempDir(), "results")
	got := clitest.MustSucceed(t, "policies", "--quick", "--tokens", "6", "--pass-bytes", "10MB", "--out", out)
	if !strings.Contains(got.Stderr, "no data sets in") || !strings.Contains(got.Stderr, out) {
		t.Errorf("standard error:\n%s", got.Stderr)
	}
	for _, want := range []string{"gsm8k", "mt_bench", "lever ÷ plain decoding", "0 differ"} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("the table does not say %q:\n%s", want, got.Stdout)
		}
	}
	if files, err := filepath.Glob(filepath.Join(out, "policies*.*")); err != nil || len(files) != 3 {
		t.Errorf("wrote %v, %v", files, err)
	}
}

func TestPoliciesJSON(t *testing.T) {
	prompts := testdata.Shared(t, "data/prompts")
	got := clitest.MustSucceed(t, "policies", "--quick", "--prompts", prompts, "--tokens", "4", "--pass-bytes", "10MB",
		"--flash-profile", "ufs-3.1", "--json", "--out", t.TempDir())
	var printed struct{ Data policies.Report }
	if err := json.Unmarshal([]byte(got.Stdout), &printed); err != nil {
		t.Fatalf("%v in\n%s", err, got.Stdout)
	}
	if report := printed.Data; report.Settings.Flash != "ufs-3.1" || !slices.Contains(report.Settings.Prompts, "gsm8k/0") || report.Machine.System == "" {
		t.Errorf("settings %+v, machine %+v", report.Settings, report.Machine)
	}
}

func TestPoliciesCheck(t *testing.T) {
	sets := kernels.Sets()
	got := clitest.MustSucceed(t, "policies", "--check", "--prompts-per-set", "1", "--tokens", "3", "--budget", "4", "--kernels", sets[len(sets)-1])
	if !strings.Contains(got.Stdout, ": 0 differ") || !strings.Contains(got.Stdout, "streamed") {
		t.Errorf("standard output:\n%s", got.Stdout)
	}
}

// The page and the list of experiments have the order of the parts of a pass, of whole generations, and of the paper's figures.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	names := []string{"kernels", "flash", "endtoend", "simulate", "types", "policies", "prune", "draft-scheduling", "projection", "growth", "quality"}
	for _, name := range names {
		if err := report.New(name, "What "+name+" gave").Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := report.New("simulate-pairs", "Pairs").Save(dir); err != nil {
		t.Fatal(err)
	}
	got := clitest.MustSucceed(t, "report", "--out", dir)
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !strings.Contains(got.Stdout, "report.html") {
		t.Fatalf("%v, standard output %q", err, got.Stdout)
	}
	if strings.Contains(string(page), "lever bench simulate-pairs") || strings.Count(string(page), "lever bench simulate<") != 2 {
		t.Error("a report with other settings does not name its experiment")
	}
	rest, list := string(page), clitest.MustSucceed(t).Stdout
	for _, name := range names {
		var found, listed bool
		if _, rest, found = strings.Cut(rest, "<h2>What "+name+" gave"); !found {
			t.Errorf("the page lacks %s, or has it too early:\n%s", name, page)
		}
		if _, list, listed = strings.Cut(list, "\n  "+name+" "); !listed {
			t.Errorf("the list lacks %s, or has it too early", name)
		}
	}
	if len(names) != len(experiments) {
		t.Errorf("%d experiments, of which %d are checked", len(experiments), len(names))
	}
}

// The page runs experiments as their commands do where no flag is given.
func TestReportRunsWithDefaults(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	f := reportFlags{experimentFlags: experimentFlags{out: t.TempDir(), prompts: t.TempDir()}, only: []string{"growth"}}
	if err := f.run(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("it fails before it is cancelled: %v", err)
	}
}

func TestInflate(t *testing.T) {
	dir := t.TempDir()
	store, file := filepath.Join(dir, "again.lever"), filepath.Join(dir, "again.gguf")
	clitest.MustSucceed(t, "inflate", "demo-draft", store, "--shape", "same", "--type", "q8_0")
	clitest.MustSucceed(t, "inflate", store, file, "--shape", "same", "--type", "q8_0")
	t.Setenv("LEVER_CACHE", clitest.Cache)
	engine, err := lever.Open(t.Context(), lever.Config{Model: file})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Generate(t.Context(), lever.Request{Prompt: "Hello", MaxTokens: 2}, nil); err != nil {
		t.Error(err)
	}
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	if got := clitest.Execute(t, "inflate", "demo-draft", store, "--shape", "same"); got.Status != cli.ExitFailure {
		t.Errorf("a store that is there: status %d", got.Status)
	}
}

func TestMapping(t *testing.T) {
	out := t.TempDir()
	got := clitest.MustSucceed(t, "projection", "--prompts-per-set", "1", "--tokens", "2", "--out", out)
	for _, want := range []string{"snapdragon-8-gen-3", "mid-range", "goal"} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("no %q in\n%s", want, got.Stdout)
		}
	}
	if files, err := filepath.Glob(filepath.Join(out, "projection*.png")); err != nil || len(files) < 3 {
		t.Errorf("wrote %v, %v", files, err)
	}
	for _, name := range []string{"draft-scheduling", "projection"} {
		if got := clitest.Execute(t, name, "--tokens", "-1"); got.Status != cli.ExitUsage {
			t.Errorf("%s: status %d, standard error %q", name, got.Status, got.Stderr)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown experiment": {"weather"},
		"unknown shape":      {"inflate", "demo", "x.lever", "--shape", "llama-9"},
		"unknown to report":  {"report", "--only", "weather"},
		"model alone":        {"policies", "--model", "a.lever"},
		"negative":           {"policies", "--tokens", "-1"},
		"large budget":       {"policies", "--budget", "1000"},
		"replay with more":   {"simulate", "--replay", "pair.trace", "--tokens", "3"},
		"pair of nothing":    {"simulate", "--pair", "few bits="},
		"rate of another":    {"endtoend", "--beside", "snail"},
		"unknown type":       {"policies", "--check", "--types", "q3", "--model", t.TempDir(), "--draft", "d"},
	} {
		if got := clitest.Execute(t, args...); got.Status != cli.ExitUsage {
			t.Errorf("%s: status %d, standard error %q", name, got.Status, got.Stderr)
		}
	}
	if got := clitest.Execute(t, "simulate", "--replay", "absent.trace"); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "absent.trace") {
		t.Errorf("no trace: status %d, standard error %q", got.Status, got.Stderr)
	}
	if got := clitest.Execute(t, "policies", "--prompts", t.TempDir()); got.Status != cli.ExitFailure {
		t.Errorf("a folder without prompts: status %d, standard error %q", got.Status, got.Stderr)
	}
}

// What is said of a draft without a mask token names no flag that only lever has.
func TestNoStepForADraftWithoutAMask(t *testing.T) {
	if got := nextStep(bench.ErrNotParallel); got != "" {
		t.Errorf("%q", got)
	}
}
