// Package fileerr holds the errors that the readers of model files share.
package fileerr

import (
	"errors"
	"strings"
)

// What can be wrong with a file; an [Error] wraps one of them.
var (
	ErrTruncated   = errors.New("file is truncated")
	ErrCorrupt     = errors.New("file is corrupt")
	ErrUnsupported = errors.New("not supported")
)

// Error says what is wrong with a file, and where. Its text shows what comes from the file as [Name] and [Text] do.
type Error struct {
	Format string // of the file, such as "gguf"
	File   string // path, or "" when the file has none
	Tensor string // tensor concerned, or ""
	Reason string
	Err    error // ErrTruncated, ErrCorrupt, ErrUnsupported, or the error of a read
}

func (e *Error) Error() string {
	parts := []string{e.Format}
	if e.File != "" {
		parts = append(parts, e.File)
	}
	if e.Tensor != "" {
		parts = append(parts, "tensor "+Name(e.Tensor))
	}
	parts = append(parts, Text(e.Reason))
	return strings.Join(append(parts, e.Err.Error()), ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
