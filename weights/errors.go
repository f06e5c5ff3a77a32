package weights

import (
	"errors"
	"fmt"
)

// What can be wrong with a store or with a model to convert. Errors of this package wrap one of these, an error of the
// operating system such as [io/fs.ErrNotExist], or the error of a context.
var (
	ErrCorrupt     = errors.New("data are corrupt")
	ErrTruncated   = errors.New("data are truncated")
	ErrVersion     = errors.New("unknown format version")
	ErrUnsupported = errors.New("not supported")
	ErrReplaced    = errors.New("the store was changed while it was open")
	ErrForeign     = errors.New("belongs to another model")
	ErrArgument    = errors.New("invalid argument")
)

// MemoryError is the error of a memory limit with which no plan works.
type MemoryError struct {
	Need, Have int64 // bytes: the smallest limit, and the one that was given
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("a memory limit of %d bytes is too small; the least is %d (%d MiB suffice)", e.Have, e.Need, (e.Need+1<<20-1)>>20)
}

// Is reports whether target is [ErrArgument].
func (e *MemoryError) Is(target error) bool { return target == ErrArgument }

// ChunkError says where in a store something is wrong.
type ChunkError struct {
	Op      string // "open", "read" or "check"
	File    string // path of the chunk
	Chunk   int    // index of the chunk
	Segment int    // index of the segment in the chunk; -1 where the whole chunk is meant
	Offset  int64  // of the segment in the file
	Err     error
}

func (e *ChunkError) Error() string {
	if e.Segment < 0 {
		return fmt.Sprintf("weights: %s %s: chunk %d: %v", e.Op, e.File, e.Chunk, e.Err)
	}
	return fmt.Sprintf("weights: %s %s: chunk %d, segment %d at offset %d: %v", e.Op, e.File, e.Chunk, e.Segment, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *ChunkError) Unwrap() error { return e.Err }

// FileError says which file of a store, other than a chunk, is wrong: its manifest, or one of the tokenizer's.
type FileError struct {
	File string // path
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("weights: %s: %v", e.File, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }
