package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
)

// The program that is handed over to gets the arguments, and its exit status is that of this one. Here this program stands for it.
func TestHandOver(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, name := range []string{"bench", "distill"} {
		if got := clitest.Execute(t, name, "version"); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "go build ./cmd/lever-"+name) {
			t.Errorf("lever-%s is absent: status %d, standard error %q", name, got.Status, got.Stderr)
		}
		if got := clitest.Execute(t, name, "--help"); got.Status != 0 || !strings.Contains(got.Stdout, "go install github.com/lever-go/lever/cmd/lever-"+name+"@latest") {
			t.Errorf("lever-%s is absent: --help prints %q", name, got.Stdout)
		}
		if err := os.Symlink(self, filepath.Join(dir, "lever-"+name)); err != nil {
			t.Fatal(err)
		}
		if got := clitest.MustSucceed(t, name, "version"); !strings.HasPrefix(got.Stdout, "lever ") {
			t.Errorf("%s version prints %q", name, got.Stdout)
		}
		if got := clitest.MustSucceed(t, "__complete", name, "run", "--policy", ""); !strings.Contains(got.Stdout, "opttree\n") {
			t.Errorf("%s run --policy completes to %q", name, got.Stdout)
		}
		if got := clitest.Execute(t, name, "run", "--policy", "chian", "x"); got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, "chian") {
			t.Errorf("a usage error: status %d, standard error %q", got.Status, got.Stderr)
		}
	}
}
