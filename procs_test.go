package lever_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/lever-go/lever"
)

// TestProcessIsLeftAsItWas: GOMAXPROCS is larger while a streamed model generates, and at no other time.
func TestProcessIsLeftAsItWas(t *testing.T) {
	if os.Getenv("GOMAXPROCS") != "" {
		t.Skip("skipped: the environment sets GOMAXPROCS")
	}
	before := runtime.GOMAXPROCS(0)
	pair := demoPair(t)
	engine := open(t, lever.Config{Model: pair.Target, DRAM: 4 << 20})
	if plan, ok := engine.Plan(); !ok || plan.Streamed == 0 {
		t.Fatal("the model is not streamed")
	}
	expect := func(when string, want int) {
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%s: GOMAXPROCS is %d, not %d", when, got, want)
		}
	}
	expect("opened", before)
	raised := 0
	_, err := engine.Generate(t.Context(), lever.Request{Prompt: "a", Raw: true, MaxTokens: 2}, func(string) error {
		raised = runtime.GOMAXPROCS(0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if raised <= before {
		t.Errorf("during a generation GOMAXPROCS is %d, as before", raised)
	}
	expect("after a generation", before)
}
