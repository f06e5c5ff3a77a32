package weights

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// IsStore reports whether path is a folder with a manifest, to tell stores from models that are to be converted. The error is
// that of a path that can't be looked at.
func IsStore(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false, err
	}
	if _, err = os.Stat(filepath.Join(path, manifestName)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
