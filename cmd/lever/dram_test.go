package main

import (
	"regexp"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
)

// What --dram is said to need at least is enough.
func TestLeastMemoryIsEnough(t *testing.T) {
	got := clitest.Execute(t, "run", "--dram", "1", "--max-tokens", "2", ducks)
	least := regexp.MustCompile(`^lever: --dram 1 B is too little for target\.lever; the least is (\d+KiB)\n$`).FindStringSubmatch(got.Stderr)
	if got.Status != cli.ExitFailure || least == nil {
		t.Fatalf("status %d: %s", got.Status, got.Stderr)
	}
	clitest.MustSucceed(t, "run", "--dram", least[1], "--max-tokens", "2", ducks)
}
