package spec

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// ErrInUse says that a generation was given what serves one generation at a time while another, which is under way, has it.
var ErrInUse = errors.New("it is in use by another generation")

// inUse holds what the generations under way have to themselves. Those of different generators and engines may be given the same by mistake, so
// there is one for all.
var inUse sync.Map

// claim takes what serves one generation at a time, or nothing and returns an error that wraps [ErrInUse].
func (g *Generator) claim(req Request) (release func(), err error) {
	var taken []any
	release = func() {
		for _, x := range taken {
			inUse.Delete(x)
		}
	}
	for _, part := range []struct {
		name  string
		value any
	}{
		{"generator", g},
		{"target", g.options.Target},
		{"draft", g.options.Draft},
		{"policy", g.options.Policy},
		{"pruner", g.options.Pruner},
		{"constraint", req.Constraint},
		{"text decoder", req.TextDecoder},
	} {
		if !holdsState(part.value) {
			continue
		}
		if _, others := inUse.LoadOrStore(part.value, nil); others {
			release()
			return nil, fmt.Errorf("%s of type %T: %w: give each generation its own", part.name, part.value, ErrInUse)
		}
		taken = append(taken, part.value)
	}
	return release, nil
}

// holdsState reports whether a value can hold what changes: it is a pointer, and not one to nothing.
func holdsState(x any) bool {
	t := reflect.TypeOf(x)
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().Size() > 0
}
