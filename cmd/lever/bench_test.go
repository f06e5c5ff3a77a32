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

	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/kernels"
)

// The tests run where there is no folder ../shared.
func TestBenchPoliciesSaysThatItHasNoDataSets(t *testing.T) {
	out := filepath.Join(t.TempDir(), "results")
	got := mustSucceed(t, "bench", "policies", "--prompts-per-set", "1", "--tokens", "6", "--pass-bytes", "10MB", "--out", out)
	if !strings.Contains(got.stderr, "no data sets in") || !strings.Contains(got.stderr, out) {
		t.Errorf("standard error:\n%s", got.stderr)
	}
	for _, want := range []string{"gsm8k", "mt_bench", "lever ÷ plain decoding", "0 differ"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the table does not say %q:\n%s", want, got.stdout)
		}
	}
	if files, err := filepath.Glob(filepath.Join(out, "policies*.*")); err != nil || len(files) != 3 {
		t.Errorf("wrote %v, %v", files, err)
	}
}

func TestBenchPoliciesJSON(t *testing.T) {
	prompts := testdata.Shared(t, "data/prompts")
	got := mustSucceed(t, "bench", "policies", "--prompts", prompts, "--prompts-per-set", "1", "--tokens", "4", "--pass-bytes", "10MB",
		"--flash-profile", "ufs-3.1", "--json", "--out", t.TempDir())
	var printed struct{ Data policies.Report }
	if err := json.Unmarshal([]byte(got.stdout), &printed); err != nil {
		t.Fatalf("%v in\n%s", err, got.stdout)
	}
	if report := printed.Data; report.Settings.Flash != "ufs-3.1" || !slices.Contains(report.Settings.Prompts, "gsm8k/0") || report.Machine.System == "" {
		t.Errorf("settings %+v, machine %+v", report.Settings, report.Machine)
	}
}

func TestBenchPoliciesCheck(t *testing.T) {
	sets := kernels.Sets()
	got := mustSucceed(t, "bench", "policies", "--check", "--prompts-per-set", "1", "--tokens", "3", "--budget", "4", "--kernels", sets[len(sets)-1])
	if !strings.Contains(got.stdout, ": 0 differ") || !strings.Contains(got.stdout, "streamed") {
		t.Errorf("standard output:\n%s", got.stdout)
	}
}

// The page and the list of experiments have the order of the parts of a pass, of whole generations, and of the paper's figures.
func TestBenchReport(t *testing.T) {
	dir := t.TempDir()
	names := []string{"kernels", "flash", "endtoend", "simulate", "policies", "prune", "draft-scheduling", "projection", "growth"}
	for _, name := range names {
		if err := report.New(name, "What "+name+" gave").Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	got := mustSucceed(t, "bench", "report", "--out", dir)
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !strings.Contains(got.stdout, "report.html") {
		t.Fatalf("%v, standard output %q", err, got.stdout)
	}
	rest, list := string(page), mustSucceed(t, "bench").stdout
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
func TestBenchReportRunsWithDefaults(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	f := reportFlags{experimentFlags: experimentFlags{out: t.TempDir(), prompts: t.TempDir()}, only: []string{"growth"}}
	if err := f.run(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("it fails before it is cancelled: %v", err)
	}
}

func TestBenchInflate(t *testing.T) {
	dir := t.TempDir()
	store, file := filepath.Join(dir, "again.lever"), filepath.Join(dir, "again.gguf")
	mustSucceed(t, "bench", "inflate", "demo-draft", store, "--shape", "same", "--type", "q8_0")
	mustSucceed(t, "bench", "inflate", store, file, "--shape", "same", "--type", "q8_0")
	mustSucceed(t, "run", "--model", file, "--max-tokens", "2", "Hello")
	if got := execute(t, "bench", "inflate", "demo-draft", store, "--shape", "same"); got.status != exitFailure {
		t.Errorf("a store that is there: status %d", got.status)
	}
}

func TestBenchUsageErrors(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown experiment": {"bench", "weather"},
		"unknown shape":      {"bench", "inflate", "demo", "x.lever", "--shape", "llama-9"},
		"unknown to report":  {"bench", "report", "--only", "weather"},
		"model alone":        {"bench", "policies", "--model", "a.lever"},
		"negative":           {"bench", "policies", "--tokens", "-1"},
		"large budget":       {"bench", "policies", "--budget", "1000"},
		"replay with more":   {"bench", "simulate", "--replay", "pair.trace", "--tokens", "3"},
		"rate of another":    {"bench", "endtoend", "--beside", "snail"},
		"unknown type":       {"bench", "policies", "--check", "--types", "q3", "--model", t.TempDir(), "--draft", "d"},
	} {
		if got := execute(t, args...); got.status != exitUsage {
			t.Errorf("%s: status %d, standard error %q", name, got.status, got.stderr)
		}
	}
	if got := execute(t, "bench", "simulate", "--replay", "absent.trace"); got.status != exitFailure || !strings.Contains(got.stderr, "absent.trace") {
		t.Errorf("no trace: status %d, standard error %q", got.status, got.stderr)
	}
	if got := execute(t, "bench", "policies", "--prompts", t.TempDir()); got.status != exitFailure {
		t.Errorf("a folder without prompts: status %d, standard error %q", got.status, got.stderr)
	}
}
