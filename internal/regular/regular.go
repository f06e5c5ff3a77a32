// Package regular opens files of models, and refuses at once what only has a file's name: opening a pipe would wait for somebody who writes to
// it, and a device may have no end.
package regular

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Errors that an [io/fs.PathError] of this package wraps.
var (
	ErrNoFile   = errors.New("not a regular file, but a folder, pipe, socket or device")
	ErrTooLarge = errors.New("larger than such a file can be")
)

// Open opens the file at path, or at the end of a link there, for reading.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNoFile}
	}
	return os.Open(path)
}

// Read returns the content of the file at path, which may have at most limit bytes. A larger one is refused before it is read.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
	}
	content := make([]byte, info.Size())
	_, err = io.ReadFull(f, content)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return content, nil
}
