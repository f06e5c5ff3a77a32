package main

import (
	"context"
	"fmt"
	"io"
	"strings"

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

// noteIgnored says if the chat template leaves out what a user says, which a mistake in it can do in silence.
func noteIgnored(ctx context.Context, w io.Writer, engine *lever.Engine) {
	const question = "Which words are these?"
	prompt, err := engine.Chat(ctx, lever.Request{Prompt: question})
	if err == nil && !strings.Contains(prompt.Text, question) {
		fmt.Fprintln(w, "lever: the chat template leaves messages out, so that the model does not see what is asked; --chat-template FILE gives another one")
	}
}
