package main

import (
	"regexp"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
)

// Experiments in the documentation are named as they are, with flags that there are.
func TestCommandsInDocumentation(t *testing.T) {
	clitest.CheckDocumentation(t, newRootCommand, regexp.MustCompile(`(?m)(?:^|\s)(?:\./lever bench|(?:\./|go run \./cmd/)lever-bench)\s+(.*)$`), 5)
}

// Every experiment shows how it is used, in ways that work.
func TestExamplesInHelp(t *testing.T) { clitest.CheckExamples(t, newRootCommand) }

func TestNumbersOutOfRange(t *testing.T) { clitest.CheckNumbers(t, newRootCommand, 50) }
