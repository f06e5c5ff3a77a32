package jinja

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/internal/plural"
)

// stmt is a statement, text or output.
type stmt interface{ exec(r *run) error }

// body is what stands between two tags.
type body []located

type located struct {
	line int
	stmt
}

func (b body) exec(r *run) error {
	for _, s := range b {
		err := r.step(1)
		if err == nil {
			err = s.exec(r)
		}
		if err != nil {
			return atLine(s.line, err)
		}
	}
	return nil
}

type text string

func (t text) exec(r *run) error { return r.write(string(t)) }

type output struct{ x expr }

func (o output) exec(r *run) error {
	v, err := r.eval(o.x)
	if err != nil {
		return err
	}
	s, err := r.text(v)
	if err != nil {
		return err
	}
	return r.write(s)
}

// errBreak and errContinue go up to the loop.
var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

type jump struct{ what error }

func (j jump) exec(*run) error { return j.what }

type branch struct {
	test expr
	body body
}

type conditional struct {
	branches  []branch
	otherwise body
}

func (c *conditional) exec(r *run) error {
	for _, b := range c.branches {
		v, err := r.eval(b.test)
		if err != nil {
			return err
		}
		if truth(v) {
			return b.body.exec(r)
		}
	}
	return c.otherwise.exec(r)
}

// target is where a value goes: a variable, an attribute of a namespace, or several for the items of a value.
type target struct {
	names   []assigned
	several bool // even if it is one name with a comma
}

type assigned struct {
	name      string
	attribute string
	inner     *target // in parentheses, instead of a name
}

func (t target) assign(r *run, v Value) error {
	values := []Value{v}
	if t.several {
		var err error
		if values, err = r.items(v); err != nil {
			return err
		}
		if len(values) != len(t.names) {
			return fmt.Errorf("%s for %s", plural.Of(len(values), "value"), plural.Of(len(t.names), "name"))
		}
	}
	for i, to := range t.names {
		switch {
		case to.inner != nil:
			if err := to.inner.assign(r, values[i]); err != nil {
				return err
			}
		case to.attribute == "":
			r.scope.set(to.name, values[i])
		default:
			held, _ := r.scope.get(to.name)
			ns, ok := held.(*namespace)
			if !ok {
				return fmt.Errorf("cannot set an attribute of %s, which is no namespace", to.name)
			}
			ns.attributes[to.attribute] = values[i]
		}
	}
	return r.step(int64(len(values)))
}

type set struct {
	to target
	x  expr
}

func (s set) exec(r *run) error {
	v, err := r.eval(s.x)
	if err != nil {
		return err
	}
	return s.to.assign(r, v)
}

type setBlock struct {
	to      target
	filters expr
	body    body
}

func (s setBlock) exec(r *run) error {
	v, err := filterBlock{s.filters, s.body}.value(r)
	if err != nil {
		return err
	}
	return s.to.assign(r, v)
}

type filterBlock struct {
	filters expr
	body    body
}

func (f filterBlock) exec(r *run) error {
	v, err := f.value(r)
	if err != nil {
		return err
	}
	return output{constant{v}}.exec(r)
}

func (f filterBlock) value(r *run) (Value, error) {
	s, err := r.captured(func() error {
		return r.within(r.scope.in(), func() error { return f.body.exec(r) })
	})
	if err != nil {
		return nil, err
	}
	outer := r.piped
	defer func() { r.piped = outer }()
	r.piped = s
	return r.eval(f.filters)
}

type with struct {
	names  []string
	values []expr
	body   body
}

func (w with) exec(r *run) error {
	inner := r.scope.in()
	for i, x := range w.values {
		v, err := r.eval(x)
		if err != nil {
			return err
		}
		inner.set(w.names[i], v)
	}
	return r.within(inner, func() error { return w.body.exec(r) })
}

type forLoop struct {
	target    target
	over      expr
	when      expr // nil if there is no condition
	body      body
	otherwise body
}

func (f *forLoop) exec(r *run) error {
	v, err := r.eval(f.over)
	if err != nil {
		return err
	}
	items, err := r.items(v)
	if err != nil {
		return err
	}
	if f.when != nil {
		if items, err = f.chosen(r, items); err != nil {
			return err
		}
	}
	l := &loop{items: items}
	completed := false
	for l.at = range items {
		inner := r.scope.in()
		err := r.within(inner, func() error {
			inner.set("loop", l)
			if err := f.target.assign(r, items[l.at]); err != nil {
				return err
			}
			return f.body.exec(r)
		})
		switch {
		case errors.Is(err, errBreak):
			items = nil
		case errors.Is(err, errContinue):
		case err != nil:
			return err
		default:
			completed = true
		}
		if items == nil {
			break
		}
	}
	if completed {
		return nil
	}
	// As in Jinja2, a loop of which no round came to its end has its else run.
	return r.within(r.scope.in(), func() error { return f.otherwise.exec(r) })
}

// chosen returns the items for which the loop's condition holds.
func (f *forLoop) chosen(r *run, items []Value) ([]Value, error) {
	var kept []Value
	for _, v := range items {
		inner := r.scope.in()
		err := r.within(inner, func() error {
			if err := f.target.assign(r, v); err != nil {
				return err
			}
			ok, err := r.eval(f.when)
			if truth(ok) {
				kept = append(kept, v)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return kept, r.alloc(perValue * len(kept))
}

// loop is the variable of this name.
type loop struct {
	items []Value
	at    int
}

func (l *loop) attribute(name string) Value {
	n, at := int64(len(l.items)), int64(l.at)
	neighbour := func(i int) Value {
		if i < 0 || i >= len(l.items) {
			return &undefined{"there is no such item in the loop"}
		}
		return l.items[i]
	}
	switch name {
	case "index":
		return at + 1
	case "index0":
		return at
	case "revindex":
		return n - at
	case "revindex0":
		return n - at - 1
	case "first":
		return at == 0
	case "last":
		return at == n-1
	case "length":
		return n
	case "previtem":
		return neighbour(l.at - 1)
	case "nextitem":
		return neighbour(l.at + 1)
	case "depth":
		return int64(1)
	case "depth0":
		return int64(0)
	}
	return &undefined{fmt.Sprintf("a loop has no attribute %q", shorten(name))}
}

type param struct {
	name     string
	fallback expr // or nil
}

type macro struct {
	name   string
	params []param
	body   body
}

func (m *macro) exec(r *run) error {
	const perMacro = 512 // bytes, with the scope that it keeps
	r.scope.set(m.name, &closure{m, r.scope})
	return r.alloc(perMacro)
}

// closure is a macro with the variables that it sees.
type closure struct {
	macro *macro
	scope *scope
}

func (c *closure) call(r *run, a Args) (Value, error) {
	inner := c.scope.in()
	caller := Value(&undefined{"no caller"})
	var extra, extraNamed = &Seq{kind: tupleKind}, NewDict()
	if len(a.Values) > len(c.macro.params) {
		extra.Items = a.Values[len(c.macro.params):]
	}
	named := make(map[string]Value, len(a.Names))
	for i, name := range a.Names {
		named[name] = a.Named[i]
	}
	if v, ok := named["caller"]; ok {
		caller = v
		delete(named, "caller")
	}
	inner.set("caller", caller)
	return r.captureString(func() error {
		return r.within(inner, func() error {
			for i, p := range c.macro.params {
				v, ok := named[p.name]
				delete(named, p.name)
				switch {
				case i < len(a.Values) && ok:
					return fmt.Errorf("macro %s: two values for %s", c.macro.name, p.name)
				case i < len(a.Values):
					v = a.Values[i]
				case !ok && p.fallback != nil:
					var err error
					if v, err = r.eval(p.fallback); err != nil {
						return err
					}
				case !ok:
					v = &undefined{fmt.Sprintf("parameter %s was not given", p.name)}
				}
				inner.set(p.name, v)
			}
			for i, name := range a.Names {
				if _, left := named[name]; left {
					extraNamed.Set(name, a.Named[i])
				}
			}
			inner.set("varargs", extra)
			inner.set("kwargs", extraNamed)
			return c.macro.body.exec(r)
		})
	})
}

// captureString returns what f writes as a value.
func (r *run) captureString(f func() error) (Value, error) {
	s, err := r.captured(f)
	return s, err
}

type callBlock struct {
	macro macro
	call  *call
}

func (c *callBlock) exec(r *run) error {
	f, args, err := c.call.parts(r)
	if err != nil {
		return err
	}
	args.Names, args.Named = append(args.Names, "caller"), append(args.Named, &closure{&c.macro, r.scope})
	v, err := r.call(f, args)
	if err != nil {
		return err
	}
	return output{constant{v}}.exec(r)
}
