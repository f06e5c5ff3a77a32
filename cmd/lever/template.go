package main

import (
	"context"
	"fmt"
	"io"

	"github.com/lever-go/lever"
)

// noteTemplate says that a built-in chat template has taken the place of the model's own, which fault is about; nil says nothing.
func noteTemplate(w io.Writer, fault error) {
	if fault != nil {
		fmt.Fprintf(w, "lever: the model's chat template can't be used, a built-in one is: %v\n", fault)
	}
}

// prepare renders and encodes a request's prompt, so that it can be said before the answer if a built-in template does it.
func prepare(ctx context.Context, w io.Writer, engine *lever.Engine, req *lever.Request) error {
	prompt, err := engine.Prepare(ctx, req)
	if err != nil {
		return err
	}
	noteTemplate(w, prompt.Fallback)
	return nil
}
