package lever_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/kerneltest"
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

// TestSetsOfEqualBits: a set whose bits are those of another writes the same text, by trees and prompts of as many rows as it is made for.
func TestSetsOfEqualBits(t *testing.T) {
	pair := demoPair(t)
	req := lever.Request{Prompt: "Janet has 3 ducks. Each of them lays 2 eggs a day.", MaxTokens: 24}
	for set, like := range map[string]string{"sme2": "i8mm", "amx": "avx512"} {
		t.Run(set, func(t *testing.T) {
			if !slices.Contains(kernels.Sets(), set) {
				if strings.Contains(os.Getenv(kerneltest.ExpectVar), set) {
					t.Fatal("the set is expected (" + kerneltest.ExpectVar + ") and absent")
				}
				t.Skip("the processor has no " + set)
			}
			var texts [2]lever.Result
			for i, name := range []string{set, like} {
				engine := open(t, lever.Config{Model: pair.Target, Draft: pair.Draft, Threads: 1, Kernels: name})
				var err error
				if texts[i], err = engine.Generate(t.Context(), req, nil); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(texts[0].TokenIDs, texts[1].TokenIDs) || len(texts[0].TokenIDs) == 0 {
				t.Errorf("%q, with %s %q", texts[0].Text, like, texts[1].Text)
			}
		})
	}
}
