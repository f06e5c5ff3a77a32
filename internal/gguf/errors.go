package gguf

import (
	"fmt"

	"github.com/lever-go/lever/internal/fileerr"
)

// What can be wrong with a file; an [Error] wraps one of them.
var (
	ErrTruncated   = fileerr.ErrTruncated
	ErrCorrupt     = fileerr.ErrCorrupt
	ErrUnsupported = fileerr.ErrUnsupported
	// ErrMagic wraps ErrCorrupt, of a file that is something else.
	ErrMagic = fmt.Errorf("not a GGUF file: %w", ErrCorrupt)
)

// Error says what is wrong with a file, and where.
type Error = fileerr.Error
