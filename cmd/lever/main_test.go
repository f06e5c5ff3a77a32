package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/testdata"
)

func TestMain(m *testing.M) { clitest.Main(m, run) }

// runJSON runs `lever run --json` and decodes what it prints.
func runJSON(t *testing.T, args ...string) runOutput {
	t.Helper()
	got := clitest.MustSucceed(t, append([]string{"run", "--json"}, args...)...)
	var result runOutput
	decoder := json.NewDecoder(strings.NewReader(got.Stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		t.Fatalf("run --json printed %q: %v", got.Stdout, err)
	}
	return result
}

// sharedModel returns the path of a model that tests share.
func sharedModel(t *testing.T, name string) string {
	t.Helper()
	return testdata.Shared(t, "models/"+name)
}
