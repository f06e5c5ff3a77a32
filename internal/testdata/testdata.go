// Package testdata finds the models, tokenizers and prompts that tests share. They lie outside the repository, in a folder
// `shared` beside it; a test that needs them is skipped where they are absent. It also measures what parsers take of memory.
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
	path := filepath.Join(filepath.Dir(root(t)), "shared", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: needs ../shared/%s beside the repository: %v", name, err)
	}
	return path
}

// root returns the repository's root: the folder with go.mod above the one that the test runs in.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no folder above the test's has a go.mod")
		}
		dir = parent
	}
}

// CheckAllocation runs parse and fails the test if it allocates more than base bytes and factor bytes for each of the size bytes
// of its input: what a file claims must not decide how much memory it takes. Nothing else may run at the same time.
func CheckAllocation(t testing.TB, size, base, factor int, parse func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	parse()
	runtime.ReadMemStats(&after)
	if took, limit := after.TotalAlloc-before.TotalAlloc, uint64(base+factor*size); took > limit {
		t.Errorf("%d bytes of input made it allocate %d, more than %d", size, took, limit)
	}
}
