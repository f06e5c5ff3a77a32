// Package testdata finds the models, tokenizers and prompts that tests share. They lie outside the repository, in a folder
// `shared` beside it; a test that needs them is skipped where they are absent.
package testdata

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Shared returns the path of name, slash-separated, inside the shared folder, and skips the test when it is not there.
func Shared(t testing.TB, name string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..")
	path := filepath.Join(root, "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: needs ../shared/%s beside the repository: %v", name, err)
	}
	return path
}
