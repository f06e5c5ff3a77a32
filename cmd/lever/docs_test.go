package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/spec"
)

// Commands in the documentation name commands and flags that there are.
func TestCommandsInDocumentation(t *testing.T) {
	clitest.CheckDocumentation(t, newRootCommand, regexp.MustCompile(`(?m)(?:^|\s)(?:\./lever|go run \./cmd/lever)\s+(.*)$`), 20)
}

// Every command shows how it is used, in ways that work.
func TestExamplesInHelp(t *testing.T) { clitest.CheckExamples(t, newRootCommand) }

// The documentation names each policy with its budget, and the bounds of budgets as the flag has them.
func TestBudgetsInDocumentation(t *testing.T) {
	content, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, name := range lever.PolicyNames() {
		kind, err := lever.FindPolicy(name)
		if err != nil {
			t.Fatal(err)
		}
		if row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| `%s`.* \\| %d( \\||, .* \\|)$", name, kind.Budget)); !row.MatchString(text) {
			t.Errorf("there is no row of policy %s with its budget %d", name, kind.Budget)
		}
	}
	if bounds := fmt.Sprintf("from 1 to %d,", lever.MaxBudget); !strings.Contains(text, bounds) {
		t.Errorf("%q is not there", bounds)
	}
	most := fmt.Sprint(lever.MaxBudget)
	clitest.MustSucceed(t, "run", "--policy", "lever", "--budget", most, "--max-tokens", "2", ducks)
	if got := clitest.Execute(t, "run", "--budget", fmt.Sprint(lever.MaxBudget+1), ducks); got.Status != 2 || !strings.Contains(got.Stderr, "outside 0.."+most) {
		t.Errorf("a larger one: status %d: %s", got.Status, got.Stderr)
	}
}

// What a user can act on stands in the list of messages.
func TestErrorsInDocumentation(t *testing.T) {
	content, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []error{
		lever.ErrAnswersCorrupt, lever.ErrAnswersForeign, lever.ErrAnswersLocked, lever.ErrContextLimit, lever.ErrSessionCorrupt, lever.ErrSessionForeign, spec.ErrPromptTooLong,
	} {
		if !strings.Contains(string(content), known.Error()) {
			t.Errorf("%q is not listed", known)
		}
	}
}
