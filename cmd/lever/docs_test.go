package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	codeBlock   = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	commandLine = regexp.MustCompile(`(?m)(?:^|\s)(?:\./lever|go run \./cmd/lever)\s+(.*)$`)
	leverLine   = regexp.MustCompile(`(?m)^  lever (.*)$`)
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
				checkCommand(t, page, line[1])
			}
		}
	}
	if lines < 20 {
		t.Errorf("only %d commands were found", lines)
	}
}

// Every command shows how it is used, in ways that work.
func TestExamplesInHelp(t *testing.T) {
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, line := range leverLine.FindAllStringSubmatch(cmd.Example, -1) {
			checkCommand(t, cmd.CommandPath(), line[1])
		}
		for _, c := range cmd.Commands() {
			check(c)
		}
	}
	check(newRootCommand())
}

// checkCommand checks that a line after the name of the program names a command, and flags that it has.
func checkCommand(t *testing.T, page, line string) {
	t.Helper()
	written, _, _ := strings.Cut(quoted.ReplaceAllString(line, "x"), " #")
	written, _, _ = strings.Cut(written, " && ")
	cmd, rest, err := newRootCommand().Find(strings.Fields(written))
	if err != nil || !cmd.HasParent() {
		t.Errorf("%s: lever %s: there is no such command (%v)", page, line, err)
		return
	}
	for _, word := range rest {
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && cmd.Flags().Lookup(name) == nil && name != "help" && !cmd.DisableFlagParsing {
			t.Errorf("%s: lever %s: %s has no flag --%s", page, line, cmd.CommandPath(), name)
		}
	}
}
