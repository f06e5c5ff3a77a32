package lever_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
)

// The hook is asked once a pass, rests change the text in nothing, and cancelling ends one.
func TestPause(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	asked, pause := 0, time.Duration(0)
	engine, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, Draft: pair.Draft, BigCores: true, Pause: func(busy time.Duration) time.Duration {
		if asked++; busy <= 0 {
			t.Errorf("busy for %v", busy)
		}
		return pause
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	request := lever.Request{Prompt: "Tom has 3 apples and buys 4 more. How many apples does he have?", MaxTokens: 12}
	without, err := engine.Generate(t.Context(), request, nil)
	if err != nil || asked != without.First+without.Passes {
		t.Fatalf("asked %d times for %d tokens of prefill and %d passes, %v", asked, without.First, without.Passes, err)
	}
	pause = 2 * time.Millisecond
	with, err := engine.Generate(t.Context(), request, nil)
	if err != nil || with.Text != without.Text || with.Seconds < float64(with.Passes)*pause.Seconds() {
		t.Errorf("%d passes in %v s: %q, %v", with.Passes, with.Seconds, with.Text, err)
	}

	pause = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cut, err := engine.Generate(ctx, request, func(string) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || cut.Text == "" {
		t.Errorf("cancelled in a rest: %q, %v", cut.Text, err)
	}
}
