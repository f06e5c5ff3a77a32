//go:build unix

package weights

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lever-go/lever/internal/regular"
)

// A pipe in a file's place is refused at once: opening it would wait for somebody who writes to it. So is a folder.
func TestNoFiles(t *testing.T) {
	good := smallStore(t)
	for _, name := range []string{ManifestName, "tokenizer.json", "chunks/0001.bin", "predictor-00.bin", verifiedName} {
		for what, put := range map[string]func(path string) error{
			"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		} {
			dir := filepath.Join(t.TempDir(), "copy.lever")
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			s, openErr := Open(t.Context(), dir, OpenOptions{})
			if name == "predictor-00.bin" {
				_, openErr = s.Predictors()
			}
			for of, err := range map[string]error{"Open": openErr, "Verify": Verify(t.Context(), dir, nil)} {
				if want := name != verifiedName; want != errors.Is(err, regular.ErrNoFile) || want != errors.Is(err, ErrCorrupt) {
					t.Errorf("%s of a %s as %s: %v", of, what, name, err)
				}
			}
			if _, err := Inspect(dir); (name == ManifestName || name == "chunks/0001.bin") != errors.Is(err, regular.ErrNoFile) {
				t.Errorf("Inspect of a %s as %s: %v", what, name, err)
			}
		}
	}
}
