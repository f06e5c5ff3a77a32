//go:build unix

package convert

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// So is a pipe in the place of a source's file.
func TestNoSources(t *testing.T) {
	m := newModel(small, false)
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", weights.ManifestName, "model.gguf"} {
		dir := m.writeHF(t, m.hf(t, tensor.F32), 1)
		path := filepath.Join(dir, name)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		src := dir
		if name == "model.gguf" {
			src = path
		}
		if err := Convert(t.Context(), src, filepath.Join(t.TempDir(), "x.lever"), weights.WriteOptions{}); !errors.Is(err, regular.ErrNoFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
