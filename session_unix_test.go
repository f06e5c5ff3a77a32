//go:build linux || darwin

package lever_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever"
	"golang.org/x/sys/unix"
)

func TestSessionIsNoPipe(t *testing.T) {
	engine := open(t, lever.Config{Model: demoPair(t).Target})
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skipf("skipped: needs a pipe with a name: %v", err)
	}
	if _, err := engine.LoadSession(path); !errors.Is(err, lever.ErrSessionCorrupt) {
		t.Errorf("got %v", err)
	}
}
