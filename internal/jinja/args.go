package jinja

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/plural"
)

// absent stands for an argument that was not given.
type absent struct{}

// params are the names of a function's parameters; "?" after one says that it may be absent.
type params []string

func named(names string) params { return strings.Fields(names) }

// bind returns the arguments in the order of the parameters.
func (p params) bind(what string, a Args) ([]Value, error) {
	if len(a.Values) > len(p) {
		return nil, fmt.Errorf("%s takes at most %s, not %d", what, plural.Of(len(p), "argument"), len(a.Values))
	}
	out := make([]Value, len(p))
	for i := range out {
		out[i] = absent{}
	}
	copy(out, a.Values)
	for i, name := range a.Names {
		at := -1
		for j, param := range p {
			if strings.TrimSuffix(param, "?") == name {
				at = j
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("%s has no parameter %q", what, shorten(name))
		}
		if out[at] != (absent{}) {
			return nil, fmt.Errorf("%s: two values for %s", what, name)
		}
		out[at] = a.Named[i]
	}
	for i, param := range p {
		if out[i] == (absent{}) && !strings.HasSuffix(param, "?") {
			return nil, fmt.Errorf("%s needs %s", what, param)
		}
	}
	return out, nil
}

// or returns v, or what stands for it if it is absent.
func or(v, fallback Value) Value {
	if v == (absent{}) {
		return fallback
	}
	return v
}

// text returns an argument that must be a string.
func wantString(v Value) (string, error) {
	s, ok := stringOf(v)
	if !ok {
		return "", fmt.Errorf("a %s where a string is expected", typeName(v))
	}
	return s, nil
}

func wantInteger(v Value) (int64, error) {
	n, ok := integer(v)
	if !ok {
		return 0, fmt.Errorf("a %s where an integer is expected", typeName(v))
	}
	return n, nil
}
