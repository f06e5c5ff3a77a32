package weights

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lever-go/lever/internal/publish"
)

// IsStore reports whether path is a folder with a manifest, to tell stores from models that are to be converted. The error is
// that of a path that can't be looked at. A store that a killed process had moved away, to put another in its place, is put back.
func IsStore(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		publish.Clean(filepath.Dir(filepath.Clean(path)))
		info, err = os.Stat(path)
	}
	if err != nil || !info.IsDir() {
		return false, err
	}
	if _, err = os.Stat(filepath.Join(path, ManifestName)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
