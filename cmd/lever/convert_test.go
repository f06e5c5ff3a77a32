package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
)

// A conversion tells which tensors got which type: those of a mix, and those whose rows do not fill blocks of it.
func TestConvertTellsTypes(t *testing.T) {
	src := sharedModel(t, "lever-tiny-llama/draft") // of rows of 192 elements, but for those of down, and three blocks
	for _, c := range []struct {
		types []string
		want  []string // in fields: type, tensors, bytes with their unit, names
	}{
		{[]string{"--type", "q3_k_m"}, []string{
			"q8_0 1 816.0 KiB embedding", "iq4_nl 18 486.0 KiB block.*.q, block.*.k, block.*.v, block.*.o, block.*.gate, block.*.up",
			"q3_k 2 82.5 KiB block.*.down (2 of 3)", "q4_k 1 54.0 KiB block.*.down (1 of 3)", "f32 7 5.2 KiB block.*.attn_norm, block.*.mlp_norm, final_norm",
		}},
		{[]string{"--type", "q8_0", "--tensor-type", "block.1.o=f16"}, []string{"f16 1 72.0 KiB block.*.o (1 of 3)"}},
	} {
		got := clitest.MustSucceed(t, append([]string{"convert", src, filepath.Join(t.TempDir(), "a.lever")}, c.types...)...)
		said := strings.Fields(got.Stderr)
		for _, want := range c.want {
			if !strings.Contains(strings.Join(said, " "), " "+want) {
				t.Errorf("%q: no %q in:\n%s", c.types, want, got.Stderr)
			}
		}
	}
}
