package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/lever-go/lever/internal/cli"
)

// maxPrompt bounds what is read from standard input, in bytes: more than fits into any model's context.
const maxPrompt = 64 << 20

// readPrompt returns the prompt that an argument stands for: itself, or all of standard input for "-".
func readPrompt(ctx context.Context, arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // a read from a terminal can't be cancelled; the program ends without it
		text, err := io.ReadAll(io.LimitReader(os.Stdin, maxPrompt+1))
		done <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		switch {
		case r.err != nil:
			return "", fmt.Errorf("read the prompt: %w", r.err)
		case len(r.text) > maxPrompt:
			return "", fmt.Errorf("read the prompt: it is longer than %s", cli.FormatBytes(maxPrompt))
		}
		return string(r.text), nil
	}
}
