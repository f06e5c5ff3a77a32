package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	run        *run
	ascii      bool // escape everything else
	indent     string
	lines      bool // a line for each item
	comma      string
	colon      string
	sortedKeys bool
	strings.Builder
}

// toJSON is the filter as transformers defines it, not Jinja2's own: without escapes for HTML.
func toJSON(r *run, v Value, a []Value) (Value, error) {
	w := jsonWriter{run: r, ascii: truth(or(a[0], false)), comma: ", ", colon: ": ", sortedKeys: truth(or(a[3], false))}
	if indent := or(a[1], nil); indent != nil {
		var ok bool
		w.lines, w.comma = true, ","
		const most = 64
		if w.indent, ok = stringOf(indent); !ok {
			n, err := wantInteger(indent)
			if err != nil {
				return nil, err
			}
			w.indent = strings.Repeat(" ", int(max(min(n, most+1), 0)))
		}
		if len(w.indent) > most {
			return nil, fmt.Errorf("%w: an indent of more than %d", ErrLimit, most)
		}
	}
	if separators := or(a[2], nil); separators != nil {
		pair, _ := separators.(*Seq)
		if pair == nil || len(pair.Items) != 2 {
			return nil, errors.New("separators that are not two")
		}
		var err error
		if w.comma, err = wantString(pair.Items[0]); err != nil {
			return nil, err
		}
		if w.colon, err = wantString(pair.Items[1]); err != nil {
			return nil, err
		}
	}
	err := w.value(v, 0)
	return w.String(), err
}

func (w *jsonWriter) add(parts ...string) error {
	n := 0
	for _, s := range parts {
		w.WriteString(s)
		n += len(s)
	}
	return w.run.alloc(n)
}

func (w *jsonWriter) value(v Value, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("%w: values nested deeper than %d", ErrLimit, maxNested)
	}
	switch v := v.(type) {
	case *Seq:
		if v.kind > tupleKind {
			break
		}
		return w.items("[", "]", len(v.Items), depth, func(i int) error { return w.value(v.Items[i], depth+1) })
	case *Dict:
		return w.dict(v, depth)
	default:
		if s, ok := w.scalar(v); ok {
			return w.add(s)
		}
	}
	return fmt.Errorf("a %s has no JSON", typeName(v))
}

// scalar returns the JSON of what has no items.
func (w *jsonWriter) scalar(v Value) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		s := formatFloat(v)
		if special, ok := map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[s]; ok {
			s = special
		}
		return s, true
	}
	s, ok := stringOf(v)
	return w.quote(s), ok
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	if w.sortedKeys {
		var fault error
		slices.SortStableFunc(order, func(i, j int) int {
			n, err := w.run.order(d.keys[i], d.keys[j], 0)
			if err != nil {
				fault = err
			}
			return n
		})
		if fault != nil {
			return fault
		}
	}
	return w.items("{", "}", len(order), depth, func(i int) error {
		key, ok := w.scalar(d.keys[order[i]])
		if !ok {
			return errors.New("a key that has no JSON")
		}
		if !strings.HasPrefix(key, `"`) {
			key = `"` + key + `"`
		}
		if err := w.add(key, w.colon); err != nil {
			return err
		}
		return w.value(d.values[order[i]], depth+1)
	})
}

// items writes n items between brackets.
func (w *jsonWriter) items(open, end string, n, depth int, item func(int) error) error {
	newline := func(depth int) string {
		if !w.lines || n == 0 {
			return ""
		}
		return "\n" + strings.Repeat(w.indent, depth)
	}
	if err := w.add(open); err != nil {
		return err
	}
	for i := range n {
		comma := w.comma
		if i == 0 {
			comma = ""
		}
		if err := w.add(comma, newline(depth+1)); err != nil {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
	return w.add(newline(depth), end)
}

// quote returns s as a JSON string.
func (w *jsonWriter) quote(s string) string {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch escape := short[c]; {
		case escape != "":
			b.WriteString(escape)
		case c < ' ' || w.ascii && c >= 0x7f && c < 0x10000 && !kept(c):
			fmt.Fprintf(&b, `\u%04x`, c)
		case w.ascii && c >= 0x10000:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.Write(utf8.AppendRune(nil, c))
		}
	}
	b.WriteByte('"')
	return b.String()
}

// FromJSON returns a JSON value as templates see it, keys in their order. text is applied to every string.
func FromJSON(raw []byte, text func(string) string) (Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	v, err := nextJSON(decoder, text, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func nextJSON(decoder *json.Decoder, text func(string) string, depth int) (Value, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		if n, err := token.Int64(); err == nil {
			return n, nil
		}
		return token.Float64()
	case string:
		return text(token), nil
	case json.Delim:
		if depth > maxNested/2 {
			return nil, fmt.Errorf("%w: JSON nested deeper than %d", ErrLimit, maxNested/2)
		}
		list, dict := List(), NewDict()
		for decoder.More() {
			v, err := nextJSON(decoder, text, depth+1)
			if err != nil {
				return nil, err
			}
			if token == '[' {
				list.Items = append(list.Items, v)
				continue
			}
			key := v
			if v, err = nextJSON(decoder, text, depth+1); err != nil {
				return nil, err
			}
			if err := dict.set(key, v); err != nil {
				return nil, err
			}
		}
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
		if token == '[' {
			return list, nil
		}
		return dict, nil
	}
	return token, nil
}
