package grammar

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Parameters is how a call of a function has its arguments, if not as a JSON object: each with its name, in the order of the schema.
type Parameters struct {
	Before  string // each name
	Equals  string // between a name and its value
	After   string // each value
	Between string // one and the next
	// Python has values as Python writes them: None, True and False, and strings in double quotes, with the escapes of JSON.
	Python bool
	// Raw, if not empty, lets strings stand as they are, and is the beginning of After by which their end is told: no string has it. A value that may be a
	// string is one then.
	Raw string
	// Text, if not nil, is called with the name of each parameter whose value stands as it is.
	Text func(name string)
}

// maxRaw is the maxLength up to which a string that stands as it is may have the beginning of its end. For longer ones there would be too many states.
const maxRaw = 256

// Arguments is the form of the arguments that satisfy a schema, which is of objects. Properties that are not listed are never written.
func (p Parameters) Arguments(schema []byte) Form {
	return Form{func(f *former, from int32) (int32, error) {
		b := f.builder
		if p.Python {
			b = &builder{graph: f.graph, layout: pythonLine}
		}
		c, root, err := newCompiler(b, schema)
		if err != nil {
			return 0, err
		}
		to, err := c.arguments(from, p, root)
		if err == nil {
			err = c.finish()
		}
		if err != nil {
			return 0, fmt.Errorf("grammar: schema: %w", err)
		}
		f.wide = f.wide || len(c.wide) > 0
		return to, nil
	}}
}

// arguments takes the arguments of a schema.
func (c *compiler) arguments(from int32, p Parameters, root *value) (int32, error) {
	at := &path{name: "#"}
	all, err := c.add(nil, root)
	if err != nil {
		return 0, err
	}
	shapes, err := c.alternatives(all)
	switch {
	case err != nil:
		return 0, located(at, err)
	case len(shapes) != 1 || shapes[0].listed || shapes[0].written() != objectType:
		return 0, located(at, fmt.Errorf("arguments that are written one by one, of any but one list of properties: %w", ErrUnsupported))
	case len(shapes[0].open) > 0:
		return 0, located(at, fmt.Errorf("keyword %q: %w", shapes[0].open[0], ErrUnsupported))
	}
	s := shapes[0]
	o, err := c.object(s)
	if err == nil && s.impossible+o.impossible != "" {
		err = errors.New(cmp.Or(s.impossible, o.impossible))
	}
	if err != nil {
		return 0, located(at, err)
	}
	var list []property
	for _, m := range o.listed {
		if !m.allowed {
			continue
		}
		if !p.takes(m.name) {
			return 0, fmt.Errorf("property %.100q can't be the name of a parameter: %w", m.name, ErrUnsupported)
		}
		list = append(list, property{m.name, m.required, func(from int32) int32 {
			to, valueErr := c.argument(from, p, m, at.in("properties", m.name))
			err = cmp.Or(err, valueErr)
			return c.text(to, p.After)
		}})
	}
	if s.members.least > len(list) {
		return 0, located(at, fmt.Errorf("minProperties %d, more than those listed: %w", s.members.least, ErrUnsupported))
	}
	name := func(name string) string { return p.Before + name + p.Equals }
	to := c.members(from, notation{comma: p.Between, name: name}, list, nil, s.members.written())
	return to, err
}

// takes reports whether a name can be that of a parameter.
func (p Parameters) takes(name string) bool {
	if p.Python {
		return name != "" && strings.Trim(name, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" && (name[0] < '0' || '9' < name[0])
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) && !strings.ContainsAny(name, "<>\"'"+p.Equals[:1])
}

// argument takes the value of a parameter.
func (c *compiler) argument(from int32, p Parameters, m listed, at *path) (int32, error) {
	if p.Raw == "" || len(m.of) == 0 {
		return c.value(from, m.of, at)
	}
	shapes, err := c.alternatives(m.of)
	if err != nil {
		return 0, located(at, err)
	}
	to, text := c.node(), false
	for _, s := range shapes {
		if s.impossible != "" || s.written()&stringType == 0 || s.written() == allTypes && !s.listed {
			continue
		}
		end, ok, err := c.raw(from, p.Raw, s)
		if err != nil {
			return 0, located(at, err)
		}
		if ok {
			text = true
			c.skip(end, to)
		}
	}
	if !text {
		return c.value(from, m.of, at)
	}
	if p.Text != nil {
		p.Text(m.name)
	}
	return to, nil
}

// raw takes a string of a shape as it stands, up to but without what ends it. It is not ok if no string has the shape.
func (c *compiler) raw(from int32, ending string, s *shape) (to int32, ok bool, err error) {
	if s.listed {
		var texts []string
		for _, v := range s.values {
			if v.kind == stringKind && !strings.Contains(v.text+ending[:len(ending)-1], ending) {
				texts = append(texts, v.text)
			}
		}
		if len(texts) == 0 {
			return from, false, nil
		}
		return c.either(from, texts), true, nil
	}
	for i, keyword := range s.open {
		if s.openTypes[i]&stringType != 0 {
			return 0, false, fmt.Errorf("keyword %q: %w", keyword, ErrUnsupported)
		}
	}
	t := s.texts()
	switch {
	case strings.IndexByte(ending, noText) >= 0: // no text has that
	case t.length.most > maxRaw:
		t.none = append(t.none, regexp.QuoteMeta(ending[:1]))
	default:
		t.none = append(t.none, regexp.QuoteMeta(ending))
	}
	l, err := newLanguage(c.work, t)
	if err != nil {
		return 0, false, err
	}
	to, err = l.write(c.builder, from, t.length, "")
	if errors.Is(err, errNoString) {
		return from, false, nil
	}
	return to, true, err
}
