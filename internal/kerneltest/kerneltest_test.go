package kerneltest

import (
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
)

func TestEachRunsEverySetAndRestores(t *testing.T) {
	before := kernels.Features()
	var ran []string
	Each(t, "nothing", func(t *testing.T, set string) {
		if kernels.Features() != set {
			t.Errorf("set %q in use, want %q", kernels.Features(), set)
		}
		ran = append(ran, set)
		t.SkipNow() // leaves in the middle; the set must be put back all the same
	})
	if !slices.Equal(ran, kernels.Sets()) {
		t.Errorf("ran %v of %v", ran, kernels.Sets())
	}
	if kernels.Features() != before {
		t.Errorf("%q in use afterwards, %q before", kernels.Features(), before)
	}
}

func TestMissing(t *testing.T) {
	for expected, want := range map[string][]string{
		"":              nil,
		"ref":           nil,
		"go,ref":        nil,
		"ref,sve2":      {"sve2"},
		" x87, go, mmx": {"x87", "mmx"},
	} {
		if got := missing(expected); !slices.Equal(got, want) {
			t.Errorf("missing(%q) = %q, want %q", expected, got, want)
		}
	}
}
