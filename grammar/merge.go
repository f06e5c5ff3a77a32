package grammar

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// conjunction is schemas that a value must satisfy at once; none, that it may be any.
type conjunction []*value

// key tells sets of conjunction apart.
func (s conjunction) key() string {
	ids := make([]int32, len(s))
	for i, v := range s {
		ids[i] = v.says
	}
	slices.Sort(ids)
	var key []byte
	for _, id := range ids {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	return string(key)
}

// never reports whether one of the schemas is false, or says so.
func (s conjunction) never() bool {
	return slices.ContainsFunc(s, func(v *value) bool {
		return v.kind == falseKind || v.kind == objectKind && v.get("not") != nil && trivial(v.get("not"))
	})
}

// trivial reports whether a schema is satisfied by all values.
func trivial(v *value) bool {
	return v.kind == trueKind || v.kind == objectKind && !slices.ContainsFunc(v.members, func(m member) bool { return restricts(m.name) || m.name == "format" })
}

// add adds a schema, unless it is there or says nothing.
func (c *compiler) add(to conjunction, schema *value) (conjunction, error) {
	schema, err := c.references.resolve(schema)
	if err != nil || trivial(schema) || slices.Contains(to, schema) {
		return to, err
	}
	return append(to, schema), nil
}

// union is a list of schemas of which a value must satisfy one: at least, or exactly.
type union struct {
	keyword  string
	branches []*value
	places   []int // of the branches in the schema
}

func unionOf(m member) (union, error) {
	if m.value.kind != arrayKind || len(m.value.items) == 0 {
		return union{}, fmt.Errorf("%s of nothing", m.name)
	}
	of := union{keyword: m.name, branches: m.value.items}
	for i := range of.branches {
		of.places = append(of.places, i)
	}
	return of, nil
}

// lists reports whether a schema says nothing but of which types and values a value may be.
func (v *value) lists() bool {
	return !slices.ContainsFunc(v.members, func(m member) bool {
		return restricts(m.name) && m.name != "type" && m.name != "nullable" && m.name != "enum" && m.name != "const"
	})
}

// gather returns a choice in which one branch stands for all that only list values, of which there may be thousands.
func (c *compiler) gather(of union) (union, error) {
	branchOf := map[string]int{} // by value
	all := &value{kind: arrayKind}
	rest := union{keyword: of.keyword}
	first, gathered := -1, 0
	for i, branch := range of.branches {
		values := branch.listed()
		if !c.work.do(valueSteps * (1 + len(values))) {
			return of, c.work.err
		}
		if values == nil {
			rest.branches, rest.places = append(rest.branches, branch), append(rest.places, of.places[i])
			continue
		}
		if gathered++; first < 0 {
			first = of.places[i]
		}
		for _, v := range values {
			other, known := branchOf[v.canonical()]
			switch {
			case !known:
				branchOf[v.canonical()] = i
				all.items = append(all.items, v)
			case other != i && of.keyword == "oneOf":
				return of, nil // it is not for here to say so
			}
		}
	}
	if gathered < 2 {
		return of, nil
	}
	rest.branches = append(rest.branches, c.made(&value{kind: objectKind, members: []member{{"enum", all}}}))
	rest.places = append(rest.places, first)
	return rest, nil
}

// listed returns the values that a schema lists, if it does nothing else, and all are of its types; and otherwise nil.
func (v *value) listed() []*value {
	one, some := v.get("const"), v.get("enum")
	values := []*value{one}
	switch {
	case !v.lists() || (one == nil) == (some == nil):
		return nil
	case one == nil:
		values = some.items
	}
	s := shape{types: allTypes}
	if named := v.get("type"); named != nil && s.typed(v, named) != nil {
		return nil
	}
	if slices.ContainsFunc(values, func(v *value) bool { return s.types&v.types() == 0 }) {
		return nil
	}
	return values
}

// alternatives returns shapes of which a value must have one to satisfy some schemas. They are not changed after that.
func (c *compiler) alternatives(all conjunction) ([]*shape, error) {
	key := all.key()
	if known, ok := c.shapes[key]; ok {
		return known, nil
	}
	s := newShape()
	if len(all) == 1 {
		s.outermost = all[0]
	}
	list, err := c.expand(s, all, nil)
	if err != nil {
		return nil, err
	}
	c.shapes[key] = list
	return list, nil
}

// mergeSteps are those of one more schema in a shape, for each that is there.
const mergeSteps = 32

// expand adds schemas to a shape, and what they lead to, and returns one for each way of choosing.
func (c *compiler) expand(s *shape, schemas conjunction, choices []union) ([]*shape, error) {
	schemas = slices.Clone(schemas)
	for i := 0; i < len(schemas); i++ {
		schema := schemas[i]
		switch {
		case !c.work.do(mergeSteps * (1 + len(s.schemas))):
			return nil, c.work.err
		case schema.kind == trueKind || slices.Contains(s.schemas, schema):
			continue
		case schema.kind == falseKind:
			s.impossible = "false, which no value satisfies"
			continue
		case schema.kind != objectKind:
			return nil, errNoSchema
		}
		if err := s.absorb(schema); err != nil {
			return nil, err
		}
		for _, m := range schema.members {
			switch m.name {
			case "$ref":
				target, err := c.references.target(schema)
				if err != nil {
					return nil, err
				}
				schemas = append(schemas, target)
			case "allOf":
				if m.value.kind != arrayKind {
					return nil, fmt.Errorf("allOf is not a list of schemas")
				}
				schemas = append(schemas, m.value.items...)
			case "anyOf", "oneOf":
				of, err := unionOf(m)
				if err != nil {
					return nil, err
				}
				choices = append(slices.Clip(choices), of)
			case "dependentRequired", "dependentSchemas", "dependencies":
				for _, dependent := range m.value.members {
					choices = append(slices.Clip(choices), c.depends(dependent))
				}
			}
		}
	}
	if s.listed {
		if err := c.check(s); err != nil {
			return nil, err
		}
		return []*shape{s}, nil
	}
	s.contradictions()
	if len(choices) == 0 || s.impossible != "" {
		return []*shape{s}, nil
	}
	return c.choose(s, choices)
}

// depends returns the choice that a member leaves that others depend on: without it, or with what it asks for.
func (c *compiler) depends(m member) union {
	without := &value{kind: objectKind, members: []member{{m.name, &value{kind: falseKind}}}}
	with := m.value
	if with.kind == arrayKind {
		with = c.made(&value{kind: objectKind, members: []member{{"required", with}}})
	}
	return union{"anyOf", []*value{c.made(&value{kind: objectKind, members: []member{{"properties", without}}}), with}, []int{0, 1}}
}

// choose returns the shapes for each branch of the first choice.
func (c *compiler) choose(s *shape, choices []union) (all []*shape, err error) {
	rest := choices[1:]
	of, err := c.gather(choices[0])
	if err != nil {
		return nil, err
	}
	var groups [][]*shape
	for _, branch := range of.branches {
		group, err := c.expand(s.clone(), conjunction{branch}, rest)
		if err != nil {
			return nil, err
		}
		group = slices.DeleteFunc(group, func(s *shape) bool { return s.impossible != "" })
		groups = append(groups, group)
		all = append(all, group...)
	}
	if of.keyword == "oneOf" {
		property, err := c.exclusive(groups, of.places)
		if err != nil {
			return nil, err
		}
		if property != "" {
			for _, s := range all {
				s.required, s.object = append(slices.Clip(s.required), property), nil
			}
		}
	}
	if len(all) == 0 {
		s.impossible = fmt.Sprintf("no branch of %s can hold beside the rest", of.keyword)
		all = append(all, s)
	}
	return all, nil
}

// contradictions notes what makes a shape impossible.
func (s *shape) contradictions() {
	drop := func(t types, c counts, what string) {
		if c.empty() && s.written()&t != 0 {
			if s.types &^= t; s.written() == 0 && s.impossible == "" {
				s.impossible = fmt.Sprintf("from %d to %d %s: no value satisfies that", c.least, c.most, what)
			}
		}
	}
	drop(stringType, s.length, "characters")
	drop(arrayType, s.items, "items")
	drop(objectType, s.members, "members")
	if s.types == 0 && s.impossible == "" {
		s.impossible = "no type is left"
	}
}

// check leaves the listed values that satisfy all conjunction.
func (c *compiler) check(s *shape) error {
	var more []*value // schemas that say more than which values there are
	for _, schema := range s.schemas {
		if !schema.lists() {
			more = append(more, schema)
		}
	}
	var left []*value
	for _, v := range s.values {
		ok := s.types&v.types() != 0 && c.work.do(valueSteps)
		for i := 0; i < len(more) && ok; i++ {
			var err error
			if ok, err = c.satisfies(v, more[i], 0); err != nil {
				return err
			}
		}
		if ok {
			left = append(left, v)
		}
	}
	if s.values = left; len(left) == 0 && s.impossible == "" {
		s.impossible = "none of the values listed satisfies the rest"
	}
	return nil
}
