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

// render has a request's conversation rendered, so that it can be said before the answer if a built-in template does it.
func render(ctx context.Context, w io.Writer, engine *lever.Engine, req *lever.Request) error {
	if req.Raw {
		return nil
	}
	prompt, err := engine.Chat(ctx, *req)
	if err != nil {
		return err
	}
	req.Rendered = &prompt
	noteTemplate(w, prompt.Fallback)
	return nil
}
