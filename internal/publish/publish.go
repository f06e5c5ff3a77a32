package publish

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// WriteFile puts content into the file at path, in place of what was there. Its permissions are perm, less the umask.
func WriteFile(path string, content []byte, perm fs.FileMode) error {
	return File(path, perm, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

// File lets fill write an empty file, which then takes the place of the one at path. An error leaves that as it was.
func File(path string, perm fs.FileMode, fill func(*os.File) error) (err error) {
	w, err := newWork(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	f, err := os.OpenFile(w.path(freshName), os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(w.path(freshName), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Folder lets fill write into an empty folder, which then gets the name path. What is at path already is replaced if overwrite is set;
// otherwise it stays, with an error that wraps [fs.ErrExist] unless it is an empty folder. An error leaves path as it was.
func Folder(path string, overwrite bool, fill func(dir string) error) error {
	return folder(path, overwrite, exchange, fill)
}

// folder is Folder with a function that exchanges two names in one step.
func folder(path string, overwrite bool, exchange func(a, b string) error, fill func(dir string) error) (err error) {
	w, err := newWork(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	fresh := w.path(freshName)
	if err := os.Mkdir(fresh, 0o777); err != nil {
		return err
	}
	if err := fill(fresh); err != nil {
		return err
	}
	if err := syncTree(fresh); err != nil {
		return err
	}
	if overwrite {
		err = w.replace(path, exchange)
	} else {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replace puts what is new in the place of what is at path, which is removed with the work folder.
func (w *work) replace(path string, exchange func(a, b string) error) error {
	fresh := w.path(freshName)
	if exchange(fresh, path) == nil {
		return nil
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(fresh, path)
	}
	// Nothing is at path for a moment. If the process ends there, the next one finds what was.
	if _, err := w.lock.WriteString(filepath.Base(path)); err != nil {
		return err
	}
	if err := errors.Join(w.lock.Sync(), syncDir(w.dir)); err != nil {
		return err
	}
	if err := os.Rename(path, w.path(oldName)); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// syncTree makes a folder and all in it durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return syncDir(path)
		case !entry.Type().IsRegular():
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0) // Windows writes back only what was opened for writing
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// syncDir makes the names in a folder durable. Windows and some network file systems cannot.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
