package jinja

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// directive is one of a format: a name in parentheses, flags, width, precision and letter. Other letters of Python are not known.
var directive = regexp.MustCompile(`^%(?:\(([^)]*)\))?([-+ 0]*)([0-9]*)(\.[0-9]*)?([srdif%])`)

// percent is format % values of Python.
func (r *run) percent(format string, values Value) (string, error) {
	f := formatter{run: r, positional: []Value{values}}
	f.named, _ = values.(*Dict)
	tuple, _ := values.(*Seq)
	if tuple != nil && tuple.kind == tupleKind {
		f.positional = tuple.Items
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		parts := directive.FindStringSubmatch(format[i:])
		if parts == nil {
			return "", fmt.Errorf("a format with %q, which is not known", shorten(format[i:]))
		}
		b.WriteString(format[:i])
		format = format[i+len(parts[0]):]
		s, err := f.directive(parts)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	b.WriteString(format)
	surplus := f.named != nil || is[*undefined](values) || tuple != nil && tuple.kind != tupleKind // values that need not be used
	if f.used < len(f.positional) && !surplus {
		return "", errors.New("too many values for a format")
	}
	return b.String(), r.alloc(b.Len())
}

// formatter has the values of a format.
type formatter struct {
	run        *run
	named      *Dict
	positional []Value
	used       int // of those
}

// directive returns the text of a directive, whose parts are as the expression has them.
func (f *formatter) directive(parts []string) (string, error) {
	name, flags, width, precision, letter := parts[1], parts[2], parts[3], parts[4], parts[5]
	if letter == "%" {
		return "%", nil
	}
	const digits = 5
	if len(width) > digits || len(precision) > digits {
		return "", fmt.Errorf("%w: the width of a format", ErrLimit)
	}
	v, err := f.value(name, strings.HasPrefix(parts[0], "%("))
	if err != nil {
		return "", err
	}
	switch letter {
	case "s", "r":
		flags = strings.ReplaceAll(flags, "0", "")
		v, err = f.text(v, letter)
		letter = "s"
	case "f":
		v, err = finite(v)
	default:
		v, err = whole(v)
		letter = "d"
	}
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%"+flags+width+precision+letter, v)
	return text, f.run.alloc(len(text))
}

// value returns the value of this name, or else the next one.
func (f *formatter) value(name string, named bool) (Value, error) {
	if named {
		if f.named == nil {
			return nil, errors.New("a format with a name needs a dict")
		}
		v, ok := f.named.Get(name)
		if !ok {
			return nil, fmt.Errorf("a format names %q, which the dict has not", shorten(name))
		}
		return v, nil
	}
	if f.used == len(f.positional) {
		return nil, errors.New("not enough values for a format")
	}
	f.used++
	return f.positional[f.used-1], nil
}

// text returns what %s or %r writes.
func (f *formatter) text(v Value, letter string) (string, error) {
	if letter == "s" {
		return f.run.text(v)
	}
	p := printer{run: f.run}
	err := p.repr(v, 0)
	return p.String(), err
}

func finite(v Value) (float64, error) {
	x, ok := number(v)
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%%f needs a finite number, not a %s", typeName(v))
	}
	return x, nil
}

func whole(v Value) (int64, error) {
	if x, ok := v.(float64); ok && math.Abs(x) < 1<<63 {
		return int64(x), nil
	}
	n, ok := integer(v)
	if !ok {
		return 0, fmt.Errorf("%%d needs a number, not a %s", typeName(v))
	}
	return n, nil
}
