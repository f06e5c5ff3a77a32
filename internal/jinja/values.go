package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Value is nil, bool, int64, float64, string, [*Seq], [*Dict], [Func], or something of this package that stands for a value of Jinja. Values
// are not changed once they are made, so that they may be shared.
type Value = any

// Func is a function that templates can call.
type Func func(Args) (Value, error)

// builtin is a function of this package.
type builtin func(*run, Args) (Value, error)

// method is a method of a value, not called yet.
type method struct {
	of   Value
	name string
}

// markup is a string that is escaped already: what is added to it gets escaped. The filter safe makes it.
type markup string

var escaper = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// undefined is a variable, an attribute or an item that does not exist: empty, but for its own attributes and operators.
type undefined struct{ reason string }

func (u *undefined) fault() error { return errors.New(u.reason) }

// namespace is an object whose attributes can be set.
type namespace struct{ attributes map[string]Value }

// seqKind says which sequence of Python a [Seq] is.
type seqKind uint8

const (
	listKind seqKind = iota
	tupleKind
	rangeKind
	viewKind      // keys, values and items of a dict
	generatorKind // gives its items once
)

// Seq is a list or another sequence of Python.
type Seq struct {
	Items []Value
	kind  seqKind
	name  string // how Python prints a range or a view
}

// List returns a list of items, which it keeps.
func List(items ...Value) *Seq { return &Seq{Items: items} }

// indexed reports whether s has a length and items by number.
func (s *Seq) indexed() bool { return s.kind <= rangeKind }

// Dict is a dictionary that keeps the order of its keys.
type Dict struct {
	keys, values []Value
	index        map[any]int // of normalised keys; nil as long as there are few
}

// NewDict returns an empty dictionary.
func NewDict() *Dict { return &Dict{} }

// Len returns the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Set adds a key or replaces its value.
func (d *Dict) Set(key string, value Value) { _ = d.set(key, value) } // strings are keys

// set adds a key, which is nil, bool, int64, float64 or a string; others are errors.
func (d *Dict) set(key, value Value) error {
	const few = 8
	normal, err := normalKey(key)
	if err != nil {
		return err
	}
	if i, ok := d.find(normal); ok {
		d.values[i] = value
		return nil
	}
	d.keys, d.values = append(d.keys, key), append(d.values, value)
	switch {
	case d.index != nil:
		d.index[normal] = len(d.keys) - 1
	case len(d.keys) > few:
		d.index = make(map[any]int, 2*few)
		for i, key := range d.keys {
			normal, _ := normalKey(key) // no error: it was set
			d.index[normal] = i
		}
	}
	return nil
}

// Get returns the value of a key.
func (d *Dict) Get(key Value) (Value, bool) {
	normal, err := normalKey(key)
	if err != nil {
		return nil, false
	}
	i, ok := d.find(normal)
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// lookUp returns the value of a key.
func (r *run) lookUp(d *Dict, key Value) (Value, bool, error) {
	s, _ := stringOf(key)
	v, ok := d.Get(key)
	return v, ok, r.read(len(s))
}

func (d *Dict) find(normal any) (int, bool) {
	if d.index != nil {
		i, ok := d.index[normal]
		return i, ok
	}
	for i, key := range d.keys {
		if other, _ := normalKey(key); other == normal {
			return i, true
		}
	}
	return 0, false
}

// normalKey returns what is the same for equal keys.
func normalKey(v Value) (any, error) {
	switch v := v.(type) {
	case string, int64, nil:
		return v, nil
	case markup:
		return string(v), nil
	case *undefined:
		return undefined{}, nil
	case bool:
		n, _ := integer(v)
		return n, nil
	case float64:
		if n := int64(v); float64(n) == v {
			return n, nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("a %s cannot be a key", typeName(v))
}

func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string, markup:
		return "str"
	case *Dict:
		return "dict"
	case *Seq:
		return [...]string{"list", "tuple", "range", "view of a dict", "generator"}[v.kind]
	case *namespace:
		return "namespace"
	case *undefined:
		return "undefined value"
	case *loop:
		return "loop"
	}
	return "function"
}

// stringOf returns v if it is a string.
func stringOf(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// integer returns v if it is an integer or a boolean.
func integer(v Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// number returns v as a float if it is a number.
func number(v Value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	n, ok := integer(v)
	return float64(n), ok
}

// truth is what a condition makes of v.
func truth(v Value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *Seq:
		return v.kind == generatorKind || len(v.Items) > 0
	case *Dict:
		return v.Len() > 0
	}
	return true
}

// items returns what iterating over v gives. A generator is empty afterwards.
func (r *run) items(v Value) ([]Value, error) {
	switch v := v.(type) {
	case *Seq:
		items := v.Items
		if v.kind == generatorKind {
			v.Items = nil
		}
		return items, r.step(int64(len(items)))
	case *Dict:
		return v.keys, r.step(int64(v.Len()))
	case *undefined:
		return nil, nil
	case *loop:
		return v.items, nil
	}
	s, ok := stringOf(v)
	if !ok {
		return nil, fmt.Errorf("a %s cannot be iterated over", typeName(v))
	}
	if err := r.alloc(perValue * len(s)); err != nil {
		return nil, err
	}
	items := make([]Value, 0, len(s))
	for _, c := range characters(s) {
		items = append(items, c)
	}
	return items, nil
}

// length is Python's len.
func (r *run) length(v Value) (int64, error) {
	switch v := v.(type) {
	case *Seq:
		if v.kind != generatorKind {
			return int64(len(v.Items)), nil
		}
	case *Dict:
		return int64(v.Len()), nil
	case *undefined:
		return 0, nil
	case *loop:
		return int64(len(v.items)), nil
	}
	if s, ok := stringOf(v); ok {
		return int64(utf8.RuneCountInString(s)), r.read(len(s))
	}
	return 0, fmt.Errorf("a %s has no length", typeName(v))
}

// equal is ==.
func (r *run) equal(a, b Value, depth int) (bool, error) {
	if err := r.step(1); err != nil {
		return false, err
	}
	if depth > maxNested {
		return false, fmt.Errorf("%w: values nested deeper than %d", ErrLimit, maxNested)
	}
	if s, ok := stringOf(a); ok {
		t, ok := stringOf(b)
		return ok && s == t, r.read(min(len(s), len(t)))
	}
	if m, ok := integer(a); ok {
		if n, ok := integer(b); ok {
			return m == n, nil
		}
	}
	if f, ok := number(a); ok {
		g, ok := number(b)
		return ok && f == g, nil
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *Seq:
		b, ok := b.(*Seq)
		if !ok || a.kind != b.kind || a.kind >= viewKind {
			return ok && a == b, nil
		}
		if len(a.Items) != len(b.Items) {
			return false, nil
		}
		for i := range a.Items {
			if same, err := r.equal(a.Items[i], b.Items[i], depth+1); !same {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || a.Len() != b.Len() {
			return false, nil
		}
		for i, key := range a.keys {
			v, ok, err := r.lookUp(b, key)
			if !ok {
				return false, err
			}
			if same, err := r.equal(a.values[i], v, depth+1); !same {
				return false, err
			}
		}
		return true, nil
	case *namespace, *loop, *closure:
		return a == b, nil
	}
	return false, nil
}

// order returns a negative number if a < b, 0 if they are equal, and a positive number otherwise.
func (r *run) order(a, b Value, depth int) (int, error) {
	if err := r.step(1); err != nil {
		return 0, err
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			return 0, u.fault()
		}
	}
	if s, ok := stringOf(a); ok {
		if t, ok := stringOf(b); ok {
			return strings.Compare(s, t), r.read(min(len(s), len(t)))
		}
	}
	if m, ok := integer(a); ok {
		if n, ok := integer(b); ok {
			return compareNumbers(m, n), nil
		}
	}
	if f, ok := number(a); ok {
		if g, ok := number(b); ok {
			return compareNumbers(f, g), nil
		}
	}
	s, ok := a.(*Seq)
	t, also := b.(*Seq)
	if !ok || !also || s.kind != t.kind || s.kind > tupleKind || depth > maxNested {
		return 0, fmt.Errorf("a %s and a %s have no order", typeName(a), typeName(b))
	}
	for i := range min(len(s.Items), len(t.Items)) {
		if same, err := r.equal(s.Items[i], t.Items[i], depth+1); err != nil {
			return 0, err
		} else if !same {
			return r.order(s.Items[i], t.Items[i], depth+1)
		}
	}
	return len(s.Items) - len(t.Items), nil
}

func compareNumbers[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// contains is v in container.
func (r *run) contains(container, v Value) (bool, error) {
	switch c := container.(type) {
	case *Dict:
		if _, err := normalKey(v); err != nil {
			return false, err
		}
		_, ok, err := r.lookUp(c, v)
		return ok, err
	case *Seq, *undefined:
		items, err := r.items(c)
		if err != nil {
			return false, err
		}
		for _, item := range items {
			if same, err := r.equal(item, v, 0); same || err != nil {
				return same, err
			}
		}
		return false, nil
	}
	s, ok := stringOf(container)
	if !ok {
		return false, fmt.Errorf("in before a %s", typeName(container))
	}
	part, ok := stringOf(v)
	if !ok {
		return false, fmt.Errorf("a %s in a string", typeName(v))
	}
	return strings.Contains(s, part), r.read(len(s))
}

// addText adds the text of v to b, after it was counted.
func (r *run) addText(b *strings.Builder, v Value) error {
	s, err := r.text(v)
	if err == nil {
		err = r.alloc(len(s))
	}
	if err == nil {
		b.WriteString(s)
	}
	return err
}

// text is Python's str: what output of v gives.
func (r *run) text(v Value) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case markup:
		return string(v), nil
	case *undefined:
		return "", nil
	}
	p := printer{run: r}
	err := p.repr(v, 0)
	return p.String(), err
}

// printer writes values as Python prints them.
type printer struct {
	run *run
	strings.Builder
}

func (p *printer) add(s string) error {
	p.WriteString(s)
	return p.run.alloc(len(s))
}

func (p *printer) repr(v Value, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("%w: values nested deeper than %d", ErrLimit, maxNested)
	}
	switch v := v.(type) {
	case nil:
		return p.add("None")
	case bool:
		return p.add(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		return p.add(strconv.FormatInt(v, 10))
	case float64:
		return p.add(formatFloat(v))
	case string:
		return p.add(quote(v))
	case markup:
		return p.add("Markup(" + quote(string(v)) + ")")
	case *undefined:
		return p.add("Undefined")
	case *Seq:
		return p.seq(v, depth)
	case *Dict:
		return p.dict(v.keys, v.values, depth)
	case *namespace:
		return p.add("<Namespace>")
	case *closure:
		return p.add("<Macro " + quote(v.macro.name) + ">")
	}
	return p.add("<" + typeName(v) + ">")
}

func (p *printer) seq(s *Seq, depth int) error {
	open, end := "[", "]"
	switch s.kind {
	case tupleKind:
		open, end = "(", ")"
		if len(s.Items) == 1 {
			end = ",)"
		}
	case viewKind:
		open, end = s.name+"([", "])"
	case rangeKind:
		return p.add(s.name)
	case generatorKind:
		return p.add("<generator object>")
	}
	if err := p.add(open); err != nil {
		return err
	}
	for i, item := range s.Items {
		if i > 0 {
			p.WriteString(", ")
		}
		if err := p.repr(item, depth+1); err != nil {
			return err
		}
	}
	return p.add(end)
}

func (p *printer) dict(keys, values []Value, depth int) error {
	if err := p.add("{"); err != nil {
		return err
	}
	for i, key := range keys {
		if i > 0 {
			p.WriteString(", ")
		}
		if err := p.repr(key, depth+1); err != nil {
			return err
		}
		p.WriteString(": ")
		if err := p.repr(values[i], depth+1); err != nil {
			return err
		}
	}
	return p.add("}")
}

// formatFloat is Python's str of a float.
func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a string.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte(q)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		c := s[:n]
		s = s[n:]
		switch {
		case c == string(q), c == `\`:
			b.WriteString(`\` + c)
		case c == "\n":
			b.WriteString(`\n`)
		case c == "\r":
			b.WriteString(`\r`)
		case c == "\t":
			b.WriteString(`\t`)
		case c == " " || unicode.IsPrint(r) || kept(r):
			b.WriteString(c)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte(q)
	return b.String()
}

// kept reports whether r, which marks places in the text of messages, is printed as it is: escaped, it could not be taken out again.
func kept(r rune) bool { return r >= 0xfdd0 && r <= 0xfdef }
