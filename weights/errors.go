package weights

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/internal/fileerr"
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

// BudgetError is the error of a budget of memory with which no plan works.
type BudgetError struct {
	Need, Have int64 // bytes: the smallest budget, and the one that was given
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("a budget of %d bytes is too small; the least is %d (%d MiB suffice)", e.Have, e.Need, (e.Need+1<<20-1)>>20)
}

// Is reports whether target is [ErrArgument].
func (e *BudgetError) Is(target error) bool { return target == ErrArgument }

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

// sourceError is an error of a model to convert, as an error of this package.
type sourceError struct {
	kind  error // a sentinel of this package
	cause error
}

func (e *sourceError) Error() string   { return "weights: convert: " + e.cause.Error() }
func (e *sourceError) Unwrap() []error { return []error{e.kind, e.cause} }

// fromParser gives an error of a file format's reader the sentinel of this package that stands for it.
func fromParser(err error) error {
	for _, k := range []struct{ of, kind error }{
		{fileerr.ErrCorrupt, ErrCorrupt}, {fileerr.ErrTruncated, ErrTruncated}, {fileerr.ErrUnsupported, ErrUnsupported},
	} {
		if errors.Is(err, k.of) {
			return &sourceError{k.kind, err}
		}
	}
	return fmt.Errorf("weights: convert: %w", err)
}

// badSource makes an error about a tensor of a model to convert; name is empty where none is concerned.
func badSource(kind error, file, name, format string, args ...any) error {
	if file == madeFile && kind == ErrCorrupt {
		kind = ErrArgument // there are no data that could be damaged, but a call with a mistake
	}
	where := file
	if name != "" {
		where += ": tensor " + fileerr.Name(name)
	}
	return fmt.Errorf("weights: convert: %s: %s: %w", where, fileerr.Text(fmt.Sprintf(format, args...)), kind)
}
