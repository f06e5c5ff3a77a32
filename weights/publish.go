package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// publish lets fill write a folder beside dst and then moves it to dst. With overwrite, what is at dst already goes away after the new
// folder has taken its place; without, something that appeared there meanwhile stays, with an error. Nothing is left
// behind by an error.
func publish(dst string, overwrite bool, fill func(dir string) error) (err error) {
	tmp, err := os.MkdirTemp(filepath.Dir(dst), "."+filepath.Base(dst)+".tmp-")
	if err != nil {
		return fmt.Errorf("weights: convert: %w", err)
	}
	remove := true
	defer func() {
		if remove {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	fresh, old := filepath.Join(tmp, "new"), filepath.Join(tmp, "old")
	if err := os.Mkdir(fresh, 0o777); err != nil {
		return fmt.Errorf("weights: convert: %w", err)
	}
	if err := fill(fresh); err != nil {
		return err
	}
	if err := syncDir(fresh); err != nil {
		return fmt.Errorf("weights: convert: %w", err)
	}
	replaces := false
	if overwrite {
		err := os.Rename(dst, old)
		replaces = err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("weights: convert: %w", err)
		}
	}
	if err := os.Rename(fresh, dst); err != nil {
		if replaces {
			if back := os.Rename(old, dst); back != nil {
				remove = false
				return fmt.Errorf("weights: convert: %w; the store that was there is now %s", errors.Join(err, back), old)
			}
		}
		return fmt.Errorf("weights: convert: %w", err)
	}
	if err := syncDir(filepath.Dir(dst)); err != nil {
		return fmt.Errorf("weights: convert: %w", err)
	}
	return nil
}

// syncDir makes the names in a folder durable. Windows cannot, and need not, sync a folder.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
