package publish

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	prefix    = ".lever-tmp-"
	lockName  = "lock"
	freshName = "new"
	oldName   = "old"

	// staleAfter is the age at which a work folder without a lock is a dead process's.
	staleAfter = 24 * time.Hour
	maxName    = 4096 // bytes of a file's name
)

// ErrLocked is the error of [TryLock] for a file that somebody else has locked.
var ErrLocked = errors.New("another process has locked the file")

// work is a folder for what is being written.
type work struct {
	dir  string
	lock *os.File
}

func (w *work) path(name string) string { return filepath.Join(w.dir, name) }

// newWork makes a work folder in parent, after it has removed those of dead processes.
func newWork(parent string) (*work, error) {
	Clean(parent)
	const tries = 100
	for range tries {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, err
		}
		w := &work{dir: dir}
		// Until it is locked, somebody who cleans up may take the folder for a dead process's. Then there is another try.
		w.lock, err = os.OpenFile(w.path(lockName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		if err := TryLock(w.lock); !errors.Is(err, ErrLocked) && isNamed(w.lock, w.path(lockName), os.Stat) {
			return w, nil
		}
		w.lock.Close()
	}
	return nil, errors.New("the folders for temporary files are removed as soon as they are made: " + parent)
}

// close removes the folder.
func (w *work) close() error {
	parent, err := os.OpenRoot(filepath.Dir(w.dir))
	if err == nil {
		err = errors.Join(remove(parent, filepath.Base(w.dir), w.lock), parent.Close())
	}
	w.lock.Close()
	return err
}

// Temp makes a folder in parent for temporary files. The caller ends with remove; if the process dies before, the next call of this
// package for the same parent removes it.
func Temp(parent string) (dir string, remove func() error, err error) {
	w, err := newWork(parent)
	if err != nil {
		return "", nil, err
	}
	return w.dir, w.close, nil
}

// IsTemporary reports whether name is that of a folder which this package made for temporary files.
func IsTemporary(name string) bool { return strings.HasPrefix(name, prefix) }

// Clean removes what dead processes have left in the folder parent. What it may not remove, it leaves.
func Clean(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	var root *os.Root // names below it that lead elsewhere are not followed
	for _, e := range entries {
		if !e.IsDir() || !IsTemporary(e.Name()) {
			continue
		}
		if root == nil {
			if root, err = os.OpenRoot(parent); err != nil {
				return
			}
			defer root.Close()
		}
		cleanOne(root, e.Name())
	}
}

// cleanOne removes a work folder if its process is dead.
func cleanOne(parent *os.Root, dir string) {
	path := filepath.Join(dir, lockName)
	before, err := parent.Stat(dir)
	if err != nil {
		return
	}
	lock, err := parent.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer lock.Close()
	switch err := TryLock(lock); {
	case errors.Is(err, ErrLocked):
		return
	case err != nil && time.Since(before.ModTime()) < staleAfter:
		return
	}
	if isNamed(lock, path, parent.Stat) { // otherwise its process has just removed it
		_ = remove(parent, dir, lock)
	}
}

// remove removes a work folder, whose lock the caller holds. If it holds what was at a destination where nothing is now, that is put back.
func remove(parent *os.Root, dir string, lock *os.File) error {
	name, err := io.ReadAll(io.NewSectionReader(lock, 0, maxName))
	if err != nil {
		return err
	}
	if dst := string(name); dst != "" && dst == filepath.Base(dst) && filepath.IsLocal(dst) {
		if _, err := parent.Lstat(dst); err != nil {
			if err := parent.Rename(filepath.Join(dir, oldName), dst); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if runtime.GOOS == "windows" {
		lock.Close() // an open file is not removed there
	}
	if err := parent.RemoveAll(dir); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another process removes it too, and has made a lock for that
}

// isNamed reports whether the file of that name is f.
func isNamed(f *os.File, name string, stat func(string) (fs.FileInfo, error)) bool {
	info, err := f.Stat()
	named, statErr := stat(name)
	return err == nil && statErr == nil && os.SameFile(info, named)
}
