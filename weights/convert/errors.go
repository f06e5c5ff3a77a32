package convert

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/weights"
)

// sourceError is an error of a file format's reader, as one of package weights.
type sourceError struct {
	kind  error // a sentinel of package weights
	cause error
}

func (e *sourceError) Error() string   { return "convert: " + e.cause.Error() }
func (e *sourceError) Unwrap() []error { return []error{e.kind, e.cause} }

// fromParser gives an error of a file format's reader the sentinel of package weights that stands for it.
func fromParser(err error) error {
	for _, k := range []struct{ of, kind error }{
		{fileerr.ErrCorrupt, weights.ErrCorrupt}, {fileerr.ErrTruncated, weights.ErrTruncated}, {fileerr.ErrUnsupported, weights.ErrUnsupported},
	} {
		if errors.Is(err, k.of) {
			return &sourceError{k.kind, err}
		}
	}
	return fmt.Errorf("convert: %w", err)
}

// badSource makes an error about a tensor of a source; name is empty where none is concerned.
func badSource(kind error, file, name, format string, args ...any) error {
	where := file
	if name != "" {
		where += ": tensor " + fileerr.Name(name)
	}
	return fmt.Errorf("convert: %s: %s: %w", where, fileerr.Text(fmt.Sprintf(format, args...)), kind)
}
