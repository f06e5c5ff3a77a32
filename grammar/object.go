package grammar

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lever-go/lever/internal/plural"
)

// object is what the members of a shape's objects are.
type object struct {
	listed     []listed       // in the order in which they are written
	places     map[string]int // of these, by name, once they are many
	others     []others
	impossible string
}

// listed is a member whose name no other member has.
type listed struct {
	name              string
	of                conjunction
	required, allowed bool
}

// others are members whose names are not listed.
type others struct {
	name texts
	of   conjunction
}

// find returns the listed member of a name, or nil.
func (o *object) find(name string) *listed {
	if o.places != nil {
		if i, ok := o.places[name]; ok {
			return &o.listed[i]
		}
		return nil
	}
	for i := range o.listed {
		if o.listed[i].name == name {
			return &o.listed[i]
		}
	}
	return nil
}

// add adds a listed member.
func (o *object) add(m listed) {
	o.listed = append(o.listed, m)
	switch n := len(o.listed); {
	case o.places != nil:
		o.places[m.name] = n - 1
	case n > fewMembers:
		o.places = map[string]int{}
		for i, m := range o.listed {
			o.places[m.name] = i
		}
	}
}

// has reports whether a member of this name may be written.
func (o *object) has(name string) bool {
	if m := o.find(name); m != nil {
		return m.allowed
	}
	return len(o.others) > 0
}

// membersOf returns the schemas of a member.
func (c *compiler) membersOf(s *shape, name string) (all conjunction, err error) {
	mentioned := s.sealed&objectType == 0
	for _, schema := range s.schemas {
		of, err := c.memberOf(schema, name)
		if err != nil {
			return nil, err
		}
		mentioned = mentioned || len(of) > 0
		for _, o := range of {
			if all, err = c.add(all, o); err != nil {
				return nil, err
			}
		}
		names := schema.get("propertyNames")
		if names == nil {
			continue
		}
		if ok, err := c.satisfies(&value{kind: stringKind, text: name}, names, 0); err != nil {
			return nil, err
		} else if !ok {
			all = append(all, &value{kind: falseKind})
		}
	}
	if !mentioned {
		all = append(all, &value{kind: falseKind})
	}
	return all, nil
}

// object returns the members of a shape's objects.
func (c *compiler) object(s *shape) (*object, error) {
	if s.object != nil {
		return s.object, nil
	}
	o := &object{}
	for _, schema := range s.schemas {
		properties := schema.get("properties")
		if properties == nil {
			continue
		}
		if properties.kind != objectKind {
			return nil, fmt.Errorf("properties: not an object")
		}
		for _, m := range properties.members {
			if err := c.list(o, s, m.name, false); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range s.required {
		if err := c.list(o, s, name, true); err != nil {
			return nil, err
		}
	}
	if err := c.unlisted(o, s); err != nil {
		return nil, err
	}
	s.object = o
	return o, nil
}

// list adds a member by its name, unless it is there.
func (c *compiler) list(o *object, s *shape, name string, required bool) error {
	m := o.find(name)
	if m == nil {
		of, err := c.membersOf(s, name)
		if err == nil && !c.work.do(memberSteps) {
			err = c.work.err
		}
		if err != nil {
			return err
		}
		o.add(listed{name: name, of: of, allowed: !of.never()})
		m = &o.listed[len(o.listed)-1]
	}
	m.required = m.required || required
	if required && !m.allowed && o.impossible == "" {
		o.impossible = fmt.Sprintf("property %q is required and not allowed", name)
	}
	return nil
}

// unlisted adds the members whose names are not listed. They are written only if a schema says something about them, or about no member at all; and
// of those whose names match patterns of "patternProperties", the ones that match a single one.
func (c *compiler) unlisted(o *object, s *shape) error {
	var patterns []string
	var named, rest conjunction
	said := len(o.listed) == 0 && s.sealed&objectType == 0
	for _, schema := range s.schemas {
		var err error
		if other := schema.get("additionalProperties"); other != nil {
			if rest, err = c.add(rest, other); err != nil {
				return err
			}
			said = true
		}
		if names := schema.get("propertyNames"); names != nil {
			if named, err = c.add(named, names); err != nil {
				return err
			}
		}
		if matched := schema.get("patternProperties"); matched != nil {
			said = said && schema.get("additionalProperties") != nil
			for _, m := range matched.members {
				if !slices.Contains(patterns, m.name) {
					patterns = append(patterns, m.name)
				}
			}
		}
	}
	names, err := c.alternatives(named)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.types&stringType == 0 || n.impossible != "" {
			continue
		}
		if n.listed {
			for _, v := range n.values {
				if err := c.list(o, s, v.text, false); err != nil {
					return err
				}
			}
			continue
		}
		for i, keyword := range n.open {
			if n.openTypes[i]&stringType != 0 {
				return fmt.Errorf("propertyNames: keyword %q: %w", keyword, ErrUnsupported)
			}
		}
		name := n.texts()
		for _, pattern := range patterns {
			matching := name
			matching.all = append(slices.Clip(name.all), pattern)
			matching.none = slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return p == pattern })
			of, err := c.matching(s, pattern)
			if err != nil {
				return err
			}
			o.others = append(o.others, others{matching, of})
		}
		if said {
			name.none = patterns
			o.others = append(o.others, others{name, rest})
		}
	}
	o.others = slices.DeleteFunc(o.others, func(other others) bool { return other.of.never() })
	return nil
}

// matching returns the schemas of a member whose name matches a pattern of "patternProperties", and no other one.
func (c *compiler) matching(s *shape, pattern string) (all conjunction, err error) {
	for _, schema := range s.schemas {
		of := schema.get("patternProperties").get(pattern)
		if of == nil {
			of = schema.get("additionalProperties")
		}
		if of == nil {
			continue
		}
		if all, err = c.add(all, of); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// objects takes an object of a shape.
func (c *compiler) objects(from int32, s *shape, at *path) (int32, error) {
	o, err := c.object(s)
	if err != nil {
		return 0, err
	}
	if o.impossible != "" {
		return c.none(at, o.impossible), nil
	}
	var list []property
	for _, m := range o.listed {
		if !m.allowed {
			continue
		}
		list = append(list, property{m.name, m.required, func(from int32) int32 {
			to, valueErr := c.value(from, m.of, at.in("properties", m.name))
			err = cmp.Or(err, valueErr)
			return to
		}})
	}
	switch n := len(list); {
	case s.members.least <= n:
	case len(o.others) == 0:
		return c.none(at, fmt.Sprintf("%s, and only %d are allowed", plural.Of(s.members.least, "member"), n)), nil
	case s.members.least > n+1:
		return 0, fmt.Errorf("minProperties %d, more than those listed and one other, which could have the same name: %w", s.members.least, ErrUnsupported)
	}
	var rest func(from int32) int32
	if len(o.others) > 0 {
		rest = func(from int32) int32 {
			to := c.node()
			for _, other := range o.others {
				name, nameErr := c.otherNames(from, other.name, o)
				end, valueErr := c.value(c.colon(name), other.of, at.in("additionalProperties"))
				c.skip(end, to)
				err = cmp.Or(err, nameErr, valueErr)
			}
			return to
		}
	}
	to := c.builder.object(from, list, rest, s.members.written())
	return to, err
}

// otherNames takes a name with its quotes that is not listed.
func (c *compiler) otherNames(from int32, name texts, o *object) (int32, error) {
	if name.plain() {
		var names []string
		for _, m := range o.listed {
			names = append(names, quoted(m.name)[1:])
		}
		return c.otherName(c.text(from, `"`), names), nil
	}
	for _, m := range o.listed {
		name.except = append(name.except, m.name)
	}
	slices.Sort(name.except)
	return c.strings(from, name)
}
