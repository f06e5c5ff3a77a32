package kerneltest

import (
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
)

func TestEachRunsEverySet(t *testing.T) {
	var ran []string
	Each(t, "nothing", func(t *testing.T, set *kernels.Set) {
		if used := Pool(t, set, 1).Set(); used != set {
			t.Errorf("the pool uses %s, want %s", used.Name(), set.Name())
		}
		ran = append(ran, set.Name())
	})
	if !slices.Equal(ran, kernels.Sets()) {
		t.Errorf("ran %v of %v", ran, kernels.Sets())
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
