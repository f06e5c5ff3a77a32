package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// maxDepth bounds how deeply values and JSON are nested.
const maxDepth = 64

// list is a sequence in a template that also counts from its end.
type list []any

// GetItem implements exec.ItemGetter.
func (l list) GetItem(key any) (*exec.Value, bool) {
	i, ok := key.(int)
	if i < 0 {
		i += len(l)
	}
	if !ok || i < 0 || i >= len(l) {
		return exec.AsValue(nil), false
	}
	return exec.ToValue(l[i]), true
}

// object returns a dictionary in the order of its arguments, key and value in turn.
func object(keysAndValues ...any) *exec.Dict {
	d := exec.NewDict()
	for i := 0; i < len(keysAndValues); i += 2 {
		d.Pairs = append(d.Pairs, &exec.Pair{Key: exec.AsValue(keysAndValues[i]), Value: exec.AsValue(keysAndValues[i+1])})
	}
	return d
}

// jsonValue parses JSON into template values, keeping the order of keys. text is applied to every string.
func jsonValue(raw []byte, text func(string) string) (any, error) {
	if len(raw) == 0 {
		return exec.NewDict(), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	value, err := nextValue(decoder, maxDepth, text)
	if err != nil {
		return nil, jsonError(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value: %w", ErrInvalid)
	}
	return value, nil
}

func nextValue(decoder *json.Decoder, depth int, text func(string) string) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if number, ok := token.(json.Number); ok {
		if i, err := strconv.Atoi(number.String()); err == nil {
			return i, nil
		}
		return number.Float64()
	}
	if s, ok := token.(string); ok {
		return text(s), nil
	}
	delim, ok := token.(json.Delim)
	switch {
	case !ok:
		return token, nil
	case depth == 0:
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	case delim == '[':
		items := list{}
		for decoder.More() {
			item, err := nextValue(decoder, depth-1, text)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		_, err := decoder.Token()
		return items, err
	}
	d := exec.NewDict()
	for decoder.More() {
		key, err := nextValue(decoder, 0, text)
		if err != nil {
			return nil, err
		}
		value, err := nextValue(decoder, depth-1, text)
		if err != nil {
			return nil, err
		}
		d.Pairs = append(d.Pairs, object(key, value).Pairs...)
	}
	_, err = decoder.Token()
	return d, err
}

// appendJSON appends v as Python's json.dumps(v, ensure_ascii=False, indent=indent) writes it; indent < 0 is no indent.
func appendJSON(dst []byte, v *exec.Value, indent, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("tojson: nested deeper than %d", maxDepth)
	}
	switch {
	case v.IsNil():
		return append(dst, "null"...), nil
	case v.IsError():
		return nil, v
	case v.IsBool():
		return strconv.AppendBool(dst, v.Bool()), nil
	case v.IsFloat() && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)):
		return nil, fmt.Errorf("tojson: %v has no JSON", v.Float())
	case v.IsNumber():
		return append(dst, v.String()...), nil
	case v.IsString():
		return appendQuoted(dst, v.String()), nil
	case v.IsDict(), v.IsList():
		return appendItems(dst, v, indent, depth)
	}
	return nil, fmt.Errorf("tojson: %s has no JSON", v.Val.Kind())
}

// appendItems appends a list or a dictionary for appendJSON.
func appendItems(dst []byte, v *exec.Value, indent, depth int) ([]byte, error) {
	brackets := "[]"
	if v.IsDict() {
		brackets = "{}"
	}
	newline := func(depth int) string {
		if indent < 0 {
			return ""
		}
		return "\n" + strings.Repeat(" ", indent*depth)
	}
	dst = append(dst, brackets[0])
	var err error
	items := 0
	v.Iterate(func(i, _ int, key, value *exec.Value) bool {
		items++
		switch {
		case i > 0 && indent < 0:
			dst = append(dst, ", "...)
		case i > 0:
			dst = append(dst, ',')
		}
		dst = append(dst, newline(depth+1)...)
		if value == nil {
			value = key
		} else {
			dst = append(appendQuoted(dst, key.String()), ": "...)
		}
		dst, err = appendJSON(dst, exec.ToValue(value), indent, depth+1)
		return err == nil
	}, func() {})
	if err != nil {
		return nil, err
	}
	if items > 0 {
		dst = append(dst, newline(depth)...)
	}
	return append(dst, brackets[1]), nil
}

// appendQuoted appends s as a JSON string in which only what must be escaped is.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\b':
			dst = append(dst, `\b`...)
		case r == '\f':
			dst = append(dst, `\f`...)
		case r < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
