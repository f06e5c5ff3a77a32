package regular

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for content, limit := range map[string]int64{"": 0, "abc": 3, "abcd": 1 << 20} {
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path, limit); string(got) != content || err != nil {
			t.Errorf("%q with a limit of %d bytes: got %q, %v", content, limit, got, err)
		}
	}
	// A file without blocks, which nobody could hold in memory.
	if err := os.Truncate(path, 1<<42); err != nil {
		t.Skipf("skipped: needs a file system that takes such a file: %v", err)
	}
	if _, err := Read(path, 1<<42-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte too many: %v", err)
	}
	if _, err := Read(filepath.Dir(path), 1<<20); !errors.Is(err, ErrNoFile) {
		t.Errorf("a folder: %v", err)
	}
}
