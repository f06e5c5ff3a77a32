package gguf

import "github.com/lever-go/lever/internal/fileerr"

// What can be wrong with a file; an [Error] wraps one of them.
var (
	ErrTruncated   = fileerr.ErrTruncated
	ErrCorrupt     = fileerr.ErrCorrupt
	ErrUnsupported = fileerr.ErrUnsupported
)

// Error says what is wrong with a file, and where.
type Error = fileerr.Error
