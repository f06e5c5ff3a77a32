package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// methodFunc calls a method of x with its arguments in the order of its parameters.
type methodFunc struct {
	params params
	call   func(r *run, x Value, a []Value) (Value, error)
}

// methods are those of Python's types, by the names of the types. What has no function exists in Python, so that it hides an item of the
// same name, and cannot be called here. Methods that change a value do not exist.
var methods map[string]map[string]methodFunc

func init() { // which the functions refer to
	methods = map[string]map[string]methodFunc{
		"str": {
			"capitalize":   ofString("", plainly(capitalize)),
			"count":        ofString("sub", countMethod),
			"endswith":     ofString("suffix", affix(strings.HasSuffix)),
			"find":         ofString("sub", findMethod),
			"format":       {},
			"isdigit":      ofString("", isDigit),
			"join":         ofString("iterable", joinMethod),
			"lower":        ofString("", plainly(strings.ToLower)),
			"lstrip":       ofString("chars?", strip(strings.TrimLeftFunc)),
			"removeprefix": ofString("prefix", removed(strings.TrimPrefix)),
			"removesuffix": ofString("suffix", removed(strings.TrimSuffix)),
			"replace":      ofString("old new count?", replaceMethod),
			"rstrip":       ofString("chars?", strip(strings.TrimRightFunc)),
			"split":        ofString("sep? maxsplit?", splitMethod),
			"splitlines":   ofString("keepends?", splitLinesMethod),
			"startswith":   ofString("prefix", affix(strings.HasPrefix)),
			"strip":        ofString("chars?", strip(strings.TrimFunc)),
			"title":        ofString("", plainly(title)),
			"upper":        ofString("", plainly(strings.ToUpper)),
			"casefold":     {}, "center": {}, "encode": {}, "expandtabs": {}, "format_map": {}, "index": {}, "isalnum": {}, "isalpha": {}, "isascii": {},
			"isdecimal": {}, "isidentifier": {}, "islower": {}, "isnumeric": {}, "isprintable": {}, "isspace": {}, "istitle": {}, "isupper": {},
			"ljust": {}, "maketrans": {}, "partition": {}, "rfind": {}, "rindex": {}, "rjust": {}, "rpartition": {}, "rsplit": {}, "swapcase": {},
			"translate": {}, "zfill": {},
		},
		"dict": {
			"get": {named("key default?"), func(r *run, x Value, a []Value) (Value, error) {
				v, ok, err := r.lookUp(x.(*Dict), a[0])
				if !ok {
					v = or(a[1], nil)
				}
				return v, err
			}},
			"items":  view("dict_items", (*Dict).pairs),
			"keys":   view("dict_keys", func(d *Dict) []Value { return d.keys }),
			"values": view("dict_values", func(d *Dict) []Value { return d.values }),
			"copy":   {}, "fromkeys": {},
		},
		"list":  {"copy": {}, "count": {}, "index": {}},
		"tuple": {"count": {}, "index": {}},
		"range": {"count": {}, "index": {}},
	}
}

func (m *method) call(r *run, a Args) (Value, error) {
	if text, ok := stringOf(m.of); ok && m.name == "format" {
		return r.braces(text, a)
	}
	f := methods[typeName(m.of)][m.name]
	if f.call == nil {
		return nil, fmt.Errorf("method %s of %s cannot be called in chat templates", m.name, typeName(m.of))
	}
	values, err := f.params.bind(m.name, a)
	if err != nil {
		return nil, err
	}
	v, err := f.call(r, m.of, values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	return v, nil
}

func view(name string, items func(*Dict) []Value) methodFunc {
	return methodFunc{nil, func(r *run, x Value, _ []Value) (Value, error) {
		d := x.(*Dict)
		return &Seq{Items: items(d), kind: viewKind, name: name}, r.alloc(perValue * d.Len())
	}}
}

// ofString makes a method of strings. Of markup it returns markup.
func ofString(parameters string, f func(r *run, s string, a []Value) (Value, error)) methodFunc {
	return methodFunc{named(parameters), func(r *run, x Value, a []Value) (Value, error) {
		s, _ := stringOf(x)
		if err := r.read(len(s)); err != nil {
			return nil, err
		}
		v, err := f(r, s, a)
		if err != nil {
			return nil, err
		}
		if text, ok := v.(string); ok {
			return remarked(text, is[markup](x)), r.alloc(len(text))
		}
		if !is[markup](x) {
			return v, nil
		}
		if parts, ok := v.(*Seq); ok {
			for i, part := range parts.Items {
				parts.Items[i] = markup(part.(string)) // methods of strings return lists of strings only
			}
		}
		return v, nil
	}}
}

// plainly makes what ofString wants of a function of strings.
func plainly(f func(string) string) func(*run, string, []Value) (Value, error) {
	return func(_ *run, s string, _ []Value) (Value, error) { return f(s), nil }
}

func countMethod(_ *run, s string, a []Value) (Value, error) {
	part, err := wantString(a[0])
	return int64(strings.Count(s, part)), err
}

func affix(has func(s, affix string) bool) func(*run, string, []Value) (Value, error) {
	return func(_ *run, s string, a []Value) (Value, error) {
		several, ok := a[0].(*Seq)
		if !ok || several.kind != tupleKind {
			several = List(a[0])
		}
		for _, v := range several.Items {
			part, err := wantString(v)
			if err != nil {
				return nil, err
			}
			if has(s, part) {
				return true, nil
			}
		}
		return false, nil
	}
}

func findMethod(_ *run, s string, a []Value) (Value, error) {
	part, err := wantString(a[0])
	if err != nil {
		return nil, err
	}
	i := strings.Index(s, part)
	if i > 0 {
		i = utf8.RuneCountInString(s[:i])
	}
	return int64(i), nil
}

func isDigit(_ *run, s string, _ []Value) (Value, error) {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsDigit(c) }), nil
}

func joinMethod(r *run, s string, a []Value) (Value, error) {
	items, err := r.items(a[0])
	if err != nil {
		return nil, err
	}
	return r.join(items, s, wantString)
}

func strip(cut func(string, func(rune) bool) string) func(*run, string, []Value) (Value, error) {
	return func(_ *run, s string, a []Value) (Value, error) {
		set, err := stripped(or(a[0], nil))
		if err != nil {
			return nil, err
		}
		return cut(s, set), nil
	}
}

func removed(cut func(s, affix string) string) func(*run, string, []Value) (Value, error) {
	return func(_ *run, s string, a []Value) (Value, error) {
		part, err := wantString(a[0])
		if err != nil {
			return nil, err
		}
		return cut(s, part), nil
	}
}

func replaceMethod(r *run, s string, a []Value) (Value, error) {
	old, err := wantString(a[0])
	if err != nil {
		return nil, err
	}
	with, err := wantString(a[1])
	if err != nil {
		return nil, err
	}
	count, err := wantInteger(or(a[2], int64(-1)))
	if err != nil {
		return nil, err
	}
	return r.replace(s, old, with, count)
}

func splitMethod(r *run, s string, a []Value) (Value, error) {
	most, err := wantInteger(or(a[1], int64(-1)))
	if err != nil {
		return nil, err
	}
	cut, err := cutter(or(a[0], nil))
	if err != nil {
		return nil, err
	}
	if a[0] == (absent{}) || a[0] == nil {
		if s = strings.TrimLeftFunc(s, isSpace); s == "" {
			return List(), nil
		}
	}
	var parts []Value
	for more := true; more; {
		part := s
		if most == int64(len(parts)) {
			more = false
		} else {
			part, s, more = cut(s)
		}
		if err := r.alloc(perValue); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return List(parts...), nil
}

// cutter returns what cuts a string at its first separator, or at white space if that is nil.
func cutter(separator Value) (func(s string) (part, rest string, more bool), error) {
	if separator == nil {
		return cutAtSpace, nil
	}
	sep, err := wantString(separator)
	if err != nil || sep == "" {
		return nil, errors.New("no separator")
	}
	return func(s string) (string, string, bool) { return strings.Cut(s, sep) }, nil
}

func cutAtSpace(s string) (part, rest string, more bool) {
	i := strings.IndexFunc(s, isSpace)
	if i < 0 {
		return s, "", false
	}
	rest = strings.TrimLeftFunc(s[i:], isSpace)
	return s[:i], rest, rest != ""
}

func splitLinesMethod(r *run, s string, a []Value) (Value, error) {
	lines, err := r.splitLines(s, truth(or(a[0], false)))
	return List(lines...), err
}

// splitLines is str.splitlines.
func (r *run) splitLines(s string, keep bool) ([]Value, error) {
	var lines []Value
	for s != "" {
		if err := r.alloc(perValue); err != nil {
			return nil, err
		}
		end := strings.IndexFunc(s, func(c rune) bool {
			return c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029
		})
		if end < 0 {
			return append(lines, s), nil
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			size = 2
		}
		line := s[:end]
		if keep {
			line = s[:end+size]
		}
		lines, s = append(lines, line), s[end+size:]
	}
	return lines, nil
}

// title is str.title: a letter after one is small, others are capital.
func title(s string) string {
	after := false
	return strings.Map(func(c rune) rune {
		letter := unicode.IsLetter(c)
		defer func() { after = letter }()
		if after {
			return unicode.ToLower(c)
		}
		return unicode.ToTitle(c)
	}, s)
}

// braces is str.format with fields of the form {}, {0} and {name}.
func (r *run) braces(format string, a Args) (Value, error) {
	var b strings.Builder
	auto := 0
	for format != "" {
		i := strings.IndexAny(format, "{}")
		if i < 0 {
			b.WriteString(format)
			break
		}
		b.WriteString(format[:i])
		c := format[i : i+1]
		format = format[i+1:]
		if strings.HasPrefix(format, c) {
			b.WriteString(c)
			format = format[1:]
			continue
		}
		field, rest, ok := strings.Cut(format, "}")
		if c == "}" || !ok {
			return nil, errors.New("format: a single brace")
		}
		format = rest
		v, err := a.field(field, &auto)
		if err != nil {
			return nil, err
		}
		if err := r.addText(&b, v); err != nil {
			return nil, err
		}
	}
	return r.str(b.String())
}

// field returns the argument that a field names; auto counts those without a name.
func (a Args) field(name string, auto *int) (Value, error) {
	for i, n := range a.Names {
		if n == name {
			return a.Named[i], nil
		}
	}
	at := *auto
	if name == "" {
		*auto++
	} else if _, err := fmt.Sscanf(name, "%d", &at); err != nil || fmt.Sprint(at) != name {
		return nil, fmt.Errorf("format: field %q is not supported", shorten(name))
	}
	if at < 0 || at >= len(a.Values) {
		return nil, errors.New("format: not enough values")
	}
	return a.Values[at], nil
}
