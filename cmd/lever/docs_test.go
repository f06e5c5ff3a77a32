package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeBlock   = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	commandLine = regexp.MustCompile(`(?m)(?:^|\s)(?:\./lever|go run \./cmd/lever)\s+(.*)$`)
	quoted      = regexp.MustCompile(`"[^"]*"|'[^']*'`)
)

// Commands in the documentation name commands and flags that there are.
func TestCommandsInDocumentation(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
			for _, line := range commandLine.FindAllStringSubmatch(block[1], -1) {
				lines++
				written, _, _ := strings.Cut(quoted.ReplaceAllString(line[1], "x"), " #")
				cmd, rest, err := newRootCommand().Find(strings.Fields(written))
				if err != nil || !cmd.HasParent() {
					t.Errorf("%s: lever %s: there is no such command (%v)", page, line[1], err)
					continue
				}
				for _, word := range rest {
					name, isFlag := strings.CutPrefix(word, "--")
					name, _, _ = strings.Cut(name, "=")
					if isFlag && cmd.Flags().Lookup(name) == nil && name != "help" {
						t.Errorf("%s: lever %s: %s has no flag --%s", page, line[1], cmd.CommandPath(), name)
					}
				}
			}
		}
	}
	if lines < 20 {
		t.Errorf("only %d commands were found", lines)
	}
}
