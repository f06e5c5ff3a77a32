package main

import (
	"os"
	"path/filepath"
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
	if got := clitest.MustSucceed(t, args...); !strings.Contains(got.Stderr, "pruning is off: the target has no predictor") {
		t.Errorf("without a predictor: %s", got.Stderr)
	}
	content[5000] ^= 1
	if err := os.WriteFile(files[0], content, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := clitest.MustSucceed(t, args...); !strings.Contains(got.Stderr, "pruning is off") || !strings.Contains(got.Stderr, filepath.Base(files[0])) {
		t.Errorf("with a corrupt predictor: %s", got.Stderr)
	}
	if got := clitest.Execute(t, "verify", pair.Target); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, filepath.Base(files[0])) || !strings.Contains(got.Stderr, "corrupt") {
		t.Errorf("verify with a corrupt predictor: status %d, %s", got.Status, got.Stderr)
	}
	if got := clitest.MustSucceed(t, "inspect", pair.Target); !strings.Contains(got.Stdout, "note: ") || !strings.Contains(got.Stdout, filepath.Base(files[0])) {
		t.Errorf("inspect with a corrupt predictor: %s", got.Stdout)
	}
	if got := clitest.Execute(t, append([]string{"run", "--prune", "off"}, args[1:]...)...); got.Status != 0 || strings.Contains(got.Stderr, "pruning is off") {
		t.Errorf("--prune off: status %d, %s", got.Status, got.Stderr)
	}
}

func TestPruneFlag(t *testing.T) {
	for _, text := range []string{"", "much", "1.1", "-0.5", "NaN"} {
		if got := clitest.Execute(t, "run", "--prune", text, ducks); got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, "auto nor off") {
			t.Errorf("--prune %q: status %d, %s", text, got.Status, got.Stderr)
		}
	}
}
