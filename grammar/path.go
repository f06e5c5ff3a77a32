package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// path is the place of a schema in its document: what a $ref says, or # for the whole, and the names below.
type path struct {
	above *path
	name  string
}

// in returns the place of a part.
func (p *path) in(names ...string) *path {
	for _, name := range names {
		p = &path{p, name}
	}
	return p
}

// maxNames is the number of names that an error has of a place, the last ones.
const maxNames = 16

func (p *path) String() string {
	var names []string
	for ; p != nil && len(names) < maxNames; p = p.above {
		names = append(names, p.name)
	}
	if p != nil {
		names = append(names, "…")
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// placeError says where in a schema an error is.
type placeError struct {
	at  string
	err error
}

func (e *placeError) Error() string { return fmt.Sprintf("at %s: %v", e.at, e.err) }
func (e *placeError) Unwrap() error { return e.err }

// located returns an error with its place, unless it has one.
func located(at *path, err error) error {
	if known := (*placeError)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return &placeError{at.String(), err}
}
