package lever_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/weights"
)

// calls are all methods of an engine that return an error; each is given a context.
var calls = map[string]func(ctx context.Context, e *lever.Engine) error{
	"Generate": func(ctx context.Context, e *lever.Engine) error {
		_, err := e.Generate(ctx, lever.Request{Prompt: "a", Raw: true, MaxTokens: 1}, nil)
		return err
	},
	"Prepare": func(ctx context.Context, e *lever.Engine) error {
		_, err := e.Prepare(ctx, &lever.Request{Prompt: "a", Raw: true})
		return err
	},
	"Chat": func(ctx context.Context, e *lever.Engine) error {
		_, err := e.Chat(ctx, lever.Request{Prompt: "a"})
		return err
	},
	"Encode": func(ctx context.Context, e *lever.Engine) error {
		_, err := e.Encode(ctx, lever.Request{Prompt: "a", Raw: true})
		return err
	},
	"Vocabulary":  func(_ context.Context, e *lever.Engine) error { _, err := e.Vocabulary(); return err },
	"Trim":        func(_ context.Context, e *lever.Engine) error { return e.Trim(weights.TrimNone) },
	"Resize":      func(_ context.Context, e *lever.Engine) error { return e.Resize(1 << 30) },
	"SaveSession": func(_ context.Context, e *lever.Engine) error { return e.SaveSession(os.DevNull, nil) },
	"LoadSession": func(_ context.Context, e *lever.Engine) error { _, err := e.LoadSession(os.DevNull); return err },
}

// needContext are those of the calls that take a context.
var needContext = []string{"Generate", "Prepare", "Chat", "Encode"}

// Nothing that is called without a context or on a closed engine panics, or does as if all were well, wherever the weights are.
func TestClosedEngineAndNoContext(t *testing.T) {
	pair := demoPair(t)
	var none context.Context
	if _, err := lever.Open(none, lever.Config{Model: pair.Draft}); err == nil {
		t.Error("Open without a context succeeds")
	}
	if _, err := lever.OpenStore(none, pair.Draft, lever.Config{}); err == nil {
		t.Error("OpenStore without a context succeeds")
	}
	for name, dram := range map[string]int64{"in memory": 0, "streamed": 2 << 20} {
		engine, err := lever.Open(t.Context(), lever.Config{Model: pair.Draft, DRAM: dram})
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range needContext {
			if err := calls[call](none, engine); err == nil {
				t.Errorf("%s: %s without a context succeeds", name, call)
			}
		}
		if err := engine.Trim(99); !errors.Is(err, weights.ErrArgument) {
			t.Errorf("%s: a level that there is not: %v", name, err)
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
		for call, do := range calls {
			if err := do(t.Context(), engine); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s: %s after Close: %v", name, call, err)
			}
		}
	}
}
