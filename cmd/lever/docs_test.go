package main

import (
	"regexp"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
)

// Commands in the documentation name commands and flags that there are.
func TestCommandsInDocumentation(t *testing.T) {
	clitest.CheckDocumentation(t, newRootCommand, regexp.MustCompile(`(?m)(?:^|\s)(?:\./lever|go run \./cmd/lever)\s+(.*)$`), 20)
}

// Every command shows how it is used, in ways that work.
func TestExamplesInHelp(t *testing.T) { clitest.CheckExamples(t, newRootCommand) }
