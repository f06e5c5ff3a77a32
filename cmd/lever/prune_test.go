package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/demo"
)

// The text is the same however much is pruned, greedy and sampled, and the statistics tell what was.
func TestRunTextDoesNotDependOnPruning(t *testing.T) {
	for _, sampling := range [][]string{{"--temperature", "0"}, {"--temperature", "0.8", "--seed", "3"}} {
		common := append([]string{"--max-tokens", "48", ducks}, sampling...)
		want := runJSON(t, append([]string{"--policy", "none"}, common...)...)
		for _, prune := range []string{"off", "auto", "0.05", "1"} {
			got := runJSON(t, append([]string{"--prune", prune, "--policy", "eagle2"}, common...)...)
			if got.Text != want.Text {
				t.Errorf("--prune %s: %q, want %q", prune, got.Text, want.Text)
			}
			if pruned := prune != "off" && prune != "auto"; pruned != (got.Pruned > 0) || pruned != (got.NoPruning == "") || got.Drafted != got.Verified+got.Pruned {
				t.Errorf("--prune %s: %d of %d dropped, %d verified, no pruning because %q", prune, got.Pruned, got.Drafted, got.Verified, got.NoPruning)
			}
			if got.Prune != prune {
				t.Errorf("--prune %s is shown as %s", prune, got.Prune)
			}
		}
		if got := runJSON(t, common...); got.Text != want.Text || got.NoPruning != "" || got.RowLayers == 0 {
			t.Errorf("policy lever: %q, want %q; not pruned because %q", got.Text, want.Text, got.NoPruning)
		}
	}
}

func TestRunWithoutUsablePredictor(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(pair.Target, "predictor-*.bin"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"run", "--model", pair.Target, "--draft", pair.Draft, "--max-tokens", "8", ducks}
	with := func(flags ...string) string {
		t.Helper()
		return clitest.MustSucceed(t, append(slices.Clone(args), flags...)...).Stderr
	}
	if got := with(); strings.Contains(got, "pruning") {
		t.Errorf("without a predictor, which nobody asked for: %s", got)
	}
	if got := with("--prune", "auto"); !strings.Contains(got, "pruning is off: the target has no predictor") {
		t.Errorf("without a predictor: %s", got)
	}
	content[5000] ^= 1
	if err := os.WriteFile(files[0], content, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := with(); !strings.Contains(got, "pruning is off") || !strings.Contains(got, filepath.Base(files[0])) {
		t.Errorf("with a corrupt predictor: %s", got)
	}
	if got := with("--policy", "chain"); strings.Contains(got, "pruning") {
		t.Errorf("with a corrupt predictor, for which a chain does not ask: %s", got)
	}
	if got := clitest.Execute(t, "verify", pair.Target); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, filepath.Base(files[0])) || !strings.Contains(got.Stderr, "corrupt") {
		t.Errorf("verify with a corrupt predictor: status %d, %s", got.Status, got.Stderr)
	}
	if got := clitest.MustSucceed(t, "inspect", pair.Target); !strings.Contains(got.Stdout, "note: ") || !strings.Contains(got.Stdout, filepath.Base(files[0])) {
		t.Errorf("inspect with a corrupt predictor: %s", got.Stdout)
	}
	if got := with("--prune", "off"); strings.Contains(got, "pruning") {
		t.Errorf("--prune off: %s", got)
	}
}

// A policy that prunes only by a share says so where it is asked to prune without one, and not otherwise.
func TestNoteOfPolicyThatDoesNotPrune(t *testing.T) {
	for _, policy := range []string{"chain", "sequoia", "ngram"} {
		args := []string{"run", "--policy", policy, "--max-tokens", "4", ducks}
		if got := clitest.MustSucceed(t, args...); strings.Contains(got.Stderr, "pruning") {
			t.Errorf("%s: %s", policy, got.Stderr)
		}
		if got := clitest.MustSucceed(t, append(args, "--prune", "auto")...); !strings.Contains(got.Stderr, "pruning is off: the policy does not know what a pass costs") {
			t.Errorf("%s --prune auto: %s", policy, got.Stderr)
		}
	}
}

func TestPruneFlag(t *testing.T) {
	for _, text := range []string{"", "much", "1.1", "-0.5", "NaN"} {
		if got := clitest.Execute(t, "run", "--prune", text, ducks); got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, "auto nor off") {
			t.Errorf("--prune %q: status %d, %s", text, got.Status, got.Stderr)
		}
	}
}
