package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lever-go/lever/internal/cli"
)

// maxTemplate is larger than the chat templates that there are, by far.
const maxTemplate = 1 << 20

// readTemplate reads a chat template.
func readTemplate(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--chat-template: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("--chat-template: %w", err)
	case len(text) > maxTemplate:
		return "", cli.UsageErrorf("--chat-template %s has more than %d bytes; give a file with a Jinja template", path, maxTemplate)
	case strings.TrimSpace(string(text)) == "":
		return "", cli.UsageErrorf("--chat-template %s is empty; leave the flag out for the model's own template", path)
	}
	return string(text), nil
}
