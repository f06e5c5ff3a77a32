package main

import (
	"regexp"
	"strings"
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
	// The demo has 8 layers with one head of 128 elements, and its draft 3 of 64; 4 pages of 256 positions hold 1,000, of 17/16 bytes for each element,
	// and 9/16 for each of values in Q4_0.
	for kv, size := range map[string]string{"q8_0": "2.5 MiB", "q4_0": "1.9 MiB"} {
		got = clitest.Execute(t, "run", "--dram", least[1], "--kv", kv, "--context", "1000", "--max-tokens", "2", ducks)
		if want := "keys and values     at most " + size + ", for 1 conversation of up to 1000 tokens\n"; !strings.Contains(got.Stderr, want) {
			t.Errorf("%s: no %q in: %s", kv, want, got.Stderr)
		}
	}
}

// Models that would not fit into memory are read from flash, unless a size was given.
func TestModelsLargerThanMemory(t *testing.T) {
	for name, c := range map[string]struct {
		available, need int64
		streamed        bool
	}{
		"fits":                      {8 << 30, 6 << 30, false},
		"leaves nothing for others": {8 << 30, 7<<30 + 1, true},
		"larger":                    {2 << 30, 21 << 30, true},
		"nothing is left":           {0, 1 << 20, true},
	} {
		d, note := dramSize{}.fitIn(c.available, c.need)
		if d.auto != c.streamed || (d.ByteSize > 0) != c.streamed || (note != "") != c.streamed {
			t.Errorf("%s: auto %t, %d bytes, %q", name, d.auto, d.ByteSize, note)
		}
	}
	given := dramSize{ByteSize: 1 << 20}
	if d, note := given.fit("no such model"); note != "" || d != given {
		t.Errorf("a size that was given became %d: %q", d.ByteSize, note)
	}
}
