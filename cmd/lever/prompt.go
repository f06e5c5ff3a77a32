package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/regular"
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

// readFiles returns the texts of files, each after its name, as they come before a prompt.
func readFiles(paths []string) (string, error) {
	var all strings.Builder
	for _, path := range paths {
		text, err := regular.Read(path, maxPrompt)
		switch {
		case err != nil:
			return "", fmt.Errorf("--file: %w", err)
		case !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0:
			return "", fmt.Errorf("--file %s: this is no text in UTF-8; pictures and documents of other kinds are not read", path)
		case strings.TrimSpace(string(text)) == "":
			return "", fmt.Errorf("--file %s: there is no text in it", path)
		}
		fmt.Fprintf(&all, "%s:\n\n%s\n\n", filepath.Base(path), strings.TrimSpace(string(text)))
	}
	return all.String(), nil
}
