package jinja

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// expr is an expression; [run.eval] evaluates it.
type expr interface{ eval(r *run) (Value, error) }

type constant struct{ v Value }

func (c constant) eval(*run) (Value, error) { return c.v, nil }

// nothing is what an inline if without else gives otherwise.
var nothing = constant{&undefined{"an inline if without else gave nothing"}}

// piped is the text of a block that filters are applied to.
type piped struct{}

func (piped) eval(r *run) (Value, error) { return r.piped, nil }

type variable string

func (name variable) eval(r *run) (Value, error) {
	if v, ok := r.scope.get(string(name)); ok {
		return v, nil
	}
	if f, ok := globals[string(name)]; ok {
		return f, nil
	}
	return &undefined{fmt.Sprintf("%q is undefined", shorten(string(name)))}, nil
}

type sequence struct {
	items []expr
	kind  seqKind
}

func (s *sequence) eval(r *run) (Value, error) {
	items, err := r.evalAll(s.items)
	if err != nil {
		return nil, err
	}
	return r.list(s.kind, items)
}

func (r *run) evalAll(xs []expr) ([]Value, error) {
	values := make([]Value, 0, len(xs))
	for _, x := range xs {
		v, err := r.eval(x)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

type dictionary struct{ keys, values []expr }

func (d *dictionary) eval(r *run) (Value, error) {
	out := NewDict()
	for i := range d.keys {
		key, err := r.eval(d.keys[i])
		if err != nil {
			return nil, err
		}
		v, err := r.eval(d.values[i])
		if err != nil {
			return nil, err
		}
		if err := out.set(key, v); err != nil {
			return nil, err
		}
	}
	return out, r.alloc(3 * perValue * len(d.keys))
}

type attribute struct {
	of   expr
	name string
}

func (a *attribute) eval(r *run) (Value, error) {
	of, err := r.eval(a.of)
	if err != nil {
		return nil, err
	}
	return attributeOf(of, a.name)
}

// attributeOf is x.name: a method or attribute of Python comes before an item.
func attributeOf(x Value, name string) (Value, error) {
	if u, ok := x.(*undefined); ok {
		return nil, u.fault()
	}
	if v, ok := member(x, name); ok {
		return v, nil
	}
	if d, ok := x.(*Dict); ok {
		if v, ok := d.Get(name); ok {
			return v, nil
		}
	}
	return &undefined{fmt.Sprintf("a %s has no attribute %q", typeName(x), shorten(name))}, nil
}

// member returns what Python finds by name in x itself, not among its items.
func member(x Value, name string) (Value, bool) {
	switch x := x.(type) {
	case *namespace:
		v, ok := x.attributes[name]
		return v, ok
	case *loop:
		return x.attribute(name), true
	case *closure:
		if name == "name" {
			return x.macro.name, true
		}
	}
	if _, ok := methods[typeName(x)][name]; ok {
		return &method{x, name}, true
	}
	return nil, false
}

type item struct{ of, key expr }

func (i *item) eval(r *run) (Value, error) {
	of, err := r.eval(i.of)
	if err != nil {
		return nil, err
	}
	key, err := r.eval(i.key)
	if err != nil {
		return nil, err
	}
	return r.itemOf(of, key)
}

// itemOf is x[key]: an item comes before a method or attribute of Python.
func (r *run) itemOf(x, key Value) (Value, error) {
	switch x := x.(type) {
	case *undefined:
		return nil, x.fault()
	case *Dict:
		if v, ok, err := r.lookUp(x, key); ok || err != nil {
			return v, err
		}
	case *Seq:
		if n, ok := integer(key); ok && x.indexed() {
			if n < 0 {
				n += int64(len(x.Items))
			}
			if n >= 0 && n < int64(len(x.Items)) {
				return x.Items[n], nil
			}
		}
	default:
		if s, ok := stringOf(x); ok {
			if n, ok := integer(key); ok {
				return r.character(s, n)
			}
		}
	}
	if name, ok := stringOf(key); ok {
		if v, ok := member(x, name); ok {
			return v, nil
		}
	}
	return &undefined{fmt.Sprintf("a %s has no such item", typeName(x))}, nil
}

// character returns that of s at this index.
func (r *run) character(s string, n int64) (Value, error) {
	if err := r.read(len(s)); err != nil {
		return nil, err
	}
	if n < 0 {
		n += int64(utf8.RuneCountInString(s))
	}
	for i := range s {
		if n == 0 {
			_, size := utf8.DecodeRuneInString(s[i:])
			return s[i : i+size], nil
		}
		n--
	}
	return &undefined{"a string has no such item"}, nil
}

type slice struct{ of, from, to, step expr }

func (s *slice) eval(r *run) (Value, error) {
	of, err := r.eval(s.of)
	if err != nil {
		return nil, err
	}
	if u, ok := of.(*undefined); ok {
		return nil, u.fault()
	}
	var bounds [3]*int64
	for i, x := range []expr{s.from, s.to, s.step} {
		if x == nil {
			continue
		}
		v, err := r.eval(x)
		if err != nil {
			return nil, err
		}
		n, ok := integer(v)
		switch {
		case ok:
			bounds[i] = &n
		case v != nil:
			return nil, fmt.Errorf("a slice with a %s for an index", typeName(v))
		}
	}
	switch of := of.(type) {
	case *Seq:
		if !of.indexed() {
			break
		}
		items, err := sliced(of.Items, bounds)
		if err != nil {
			return nil, err
		}
		return r.list(of.kind%rangeKind, items) // of a range, a list
	case string, markup:
		text, _ := stringOf(of)
		if err := r.alloc(perValue * len(text)); err != nil {
			return nil, err
		}
		characters, err := sliced(characters(text), bounds)
		if err != nil {
			return nil, err
		}
		return r.str(strings.Join(characters, ""))
	}
	return nil, fmt.Errorf("a %s cannot be sliced", typeName(of))
}

// characters returns those of s; a byte that is not UTF-8 is one.
func characters(s string) []string {
	out := make([]string, 0, len(s))
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

// sliced is items[from:to:step] of Python.
func sliced[T any](items []T, bounds [3]*int64) ([]T, error) {
	n, step := int64(len(items)), int64(1)
	if bounds[2] != nil {
		step = *bounds[2]
	}
	if step == 0 {
		return nil, errors.New("a slice with step 0")
	}
	bound := func(b *int64, missing int64) int64 {
		low, high := int64(0), n
		if step < 0 {
			low, high = -1, n-1
		}
		switch {
		case b == nil:
			return missing
		case *b < 0:
			return max(*b+n, low)
		}
		return min(*b, high)
	}
	from, to := bound(bounds[0], 0), bound(bounds[1], n)
	if step < 0 {
		from, to = bound(bounds[0], n-1), bound(bounds[1], -1)
	}
	if step == 1 {
		return slices.Clone(items[from:max(from, to)]), nil
	}
	var out []T
	step = max(min(step, n+1), -n-1)
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, items[i])
	}
	return out, nil
}

type arguments struct {
	values          []expr
	names           []string
	named           []expr
	rest, restNamed expr
}

// Args are the arguments of a call.
type Args struct {
	Values []Value
	Names  []string
	Named  []Value // by Names
}

func (a *arguments) eval(r *run) (out Args, err error) {
	if out.Values, err = r.evalAll(a.values); err != nil {
		return out, err
	}
	if out.Named, err = r.evalAll(a.named); err != nil {
		return out, err
	}
	out.Names = slices.Clone(a.names)
	if a.rest != nil {
		v, err := r.eval(a.rest)
		if err != nil {
			return out, err
		}
		items, err := r.items(v)
		if err != nil {
			return out, err
		}
		out.Values = append(out.Values, items...)
	}
	if a.restNamed != nil {
		v, err := r.eval(a.restNamed)
		if err != nil {
			return out, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return out, fmt.Errorf("** before a %s", typeName(v))
		}
		for i, key := range d.keys {
			name, ok := stringOf(key)
			if !ok {
				return out, errors.New("** before a dict with keys that are no strings")
			}
			out.Names, out.Named = append(out.Names, name), append(out.Named, d.values[i])
		}
	}
	return out, r.alloc(perValue * (len(out.Values) + len(out.Named)))
}

type call struct {
	f    expr
	args arguments
}

func (c *call) eval(r *run) (Value, error) {
	f, args, err := c.parts(r)
	if err != nil {
		return nil, err
	}
	return r.call(f, args)
}

func (c *call) parts(r *run) (Value, Args, error) {
	f, err := r.eval(c.f)
	if err != nil {
		return nil, Args{}, err
	}
	args, err := c.args.eval(r)
	return f, args, err
}

func (r *run) call(f Value, args Args) (Value, error) {
	switch f := f.(type) {
	case Func:
		return f(args)
	case builtin:
		return f(r, args)
	case *closure:
		return f.call(r, args)
	case *method:
		return f.call(r, args)
	case *undefined:
		return nil, f.fault()
	}
	return nil, fmt.Errorf("a %s cannot be called", typeName(f))
}

type filter struct {
	of   expr
	name string
	args arguments
}

func (f *filter) eval(r *run) (Value, error) {
	of, err := r.eval(f.of)
	if err != nil {
		return nil, err
	}
	args, err := f.args.eval(r)
	if err != nil {
		return nil, err
	}
	return r.filter(f.name, of, args)
}

type test struct {
	of   expr
	name string
	args arguments
}

func (t *test) eval(r *run) (Value, error) {
	of, err := r.eval(t.of)
	if err != nil {
		return nil, err
	}
	args, err := t.args.eval(r)
	if err != nil {
		return nil, err
	}
	return r.test(t.name, of, args)
}

type choice struct{ test, then, otherwise expr }

func (c *choice) eval(r *run) (Value, error) {
	v, err := r.eval(c.test)
	switch {
	case err != nil:
		return nil, err
	case truth(v):
		return r.eval(c.then)
	}
	return r.eval(c.otherwise)
}

type logic struct {
	and  bool
	l, r expr
}

func (l *logic) eval(r *run) (Value, error) {
	v, err := r.eval(l.l)
	if err != nil || truth(v) != l.and {
		return v, err
	}
	return r.eval(l.r)
}

type not struct{ x expr }

func (n *not) eval(r *run) (Value, error) {
	v, err := r.eval(n.x)
	return !truth(v), err
}

type concat []expr

func (c concat) eval(r *run) (Value, error) {
	var b strings.Builder
	for _, x := range c {
		v, err := r.eval(x)
		if err != nil {
			return nil, err
		}
		if err := r.addText(&b, v); err != nil {
			return nil, err
		}
	}
	return b.String(), nil
}

type compared struct {
	op string
	x  expr
}

type comparison struct {
	first expr
	rest  []compared
}

func (c *comparison) eval(r *run) (Value, error) {
	left, err := r.eval(c.first)
	if err != nil {
		return nil, err
	}
	for _, next := range c.rest {
		right, err := r.eval(next.x)
		if err != nil {
			return nil, err
		}
		if ok, err := r.compare(next.op, left, right); err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (r *run) compare(op string, a, b Value) (bool, error) {
	switch op {
	case "==":
		return r.equal(a, b, 0)
	case "!=":
		same, err := r.equal(a, b, 0)
		return !same, err
	case "in":
		return r.contains(b, a)
	case "not in":
		has, err := r.contains(b, a)
		return !has, err
	}
	n, err := r.order(a, b, 0)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return n < 0, nil
	case "<=":
		return n <= 0, nil
	case ">":
		return n > 0, nil
	}
	return n >= 0, nil
}

type unary struct {
	op string
	x  expr
}

func (u *unary) eval(r *run) (Value, error) {
	v, err := r.eval(u.x)
	if err != nil {
		return nil, err
	}
	if n, ok := integer(v); ok {
		if u.op == "-" {
			if n == math.MinInt64 {
				return nil, errRange
			}
			n = -n
		}
		return n, nil
	}
	if f, ok := v.(float64); ok {
		if u.op == "-" {
			f = -f
		}
		return f, nil
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.fault()
	}
	return nil, fmt.Errorf("%s before a %s", u.op, typeName(v))
}

type binary struct {
	op   string
	l, r expr
}

func (b *binary) eval(r *run) (Value, error) {
	left, err := r.eval(b.l)
	if err != nil {
		return nil, err
	}
	right, err := r.eval(b.r)
	if err != nil {
		return nil, err
	}
	return r.arithmetic(b.op, left, right)
}
