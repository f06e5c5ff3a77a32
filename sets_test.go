package lever_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/kernels"
)

// TestEnginesDifferInKernels: engines with two kernel sets answer side by side, each as if it were alone, and say which set it was.
func TestEnginesDifferInKernels(t *testing.T) {
	pair := demoPair(t)
	req := lever.Request{Prompt: "def add(a, b):", Raw: true, MaxTokens: 12}
	sets := kernels.Sets()
	var running sync.WaitGroup
	for _, set := range []string{sets[1], sets[len(sets)-1]} {
		engine := open(t, lever.Config{Model: pair.Target, Draft: pair.Draft, Threads: 1, Kernels: set})
		want, err := engine.Generate(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want.Kernels != set {
			t.Errorf("the result names the kernels %s, not %s", want.Kernels, set)
		}
		running.Go(func() {
			for range 3 {
				if got, err := engine.Generate(t.Context(), req, nil); err != nil || got.Kernels != set || !slices.Equal(got.TokenIDs, want.TokenIDs) {
					t.Errorf("%s: %q with %s beside another engine, %q alone: %v", set, got.Text, got.Kernels, want.Text, err)
				}
			}
		})
	}
	running.Wait()
	if _, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, Kernels: "sse"}); err == nil {
		t.Error("an unknown kernel set is accepted")
	}
}
