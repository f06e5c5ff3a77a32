package grammar

import (
	"fmt"
	"unicode/utf8"
)

// types returns the types that a value has.
func (v *value) types() types {
	switch v.kind {
	case nullKind:
		return nullType
	case falseKind, trueKind:
		return booleanType
	case numberKind:
		if whole(v.text) {
			return integerType
		}
		if r, err := rational(v.text); err == nil && r.IsInt() {
			return integerType
		}
		return fractionType
	case stringKind:
		return stringType
	case arrayKind:
		return arrayType
	}
	return objectType
}

// checkSteps are those of checking a value against a schema.
const checkSteps = 16

// satisfies reports whether a value that is known satisfies a schema, as the keywords are defined.
func (c *compiler) satisfies(v, schema *value, depth int) (bool, error) {
	switch {
	case depth > 2*maxNesting:
		return false, fmt.Errorf("nested deeper than %d: %w", maxNesting, ErrUnsupported)
	case !c.work.do(checkSteps):
		return false, c.work.err
	case schema.kind == trueKind || schema.kind == falseKind:
		return schema.kind == trueKind, nil
	case schema.kind != objectKind:
		return false, errNoSchema
	}
	s := c.own[schema]
	if s == nil {
		s = newShape()
		if err := s.absorb(schema); err != nil {
			return false, err
		}
		c.own[schema] = s
	}
	if ok, err := c.fits(v, s); !ok || err != nil {
		return false, err
	}
	for _, m := range schema.members {
		if about[m.name]&v.types() == 0 {
			continue
		}
		if ok, err := c.applies(v, schema, m, depth+1); !ok || err != nil {
			return false, err
		}
	}
	return c.within(v, schema, depth+1)
}

// fits reports whether a value has what a shape says without the schemas within.
func (c *compiler) fits(v *value, s *shape) (bool, error) {
	if s.types&v.types() == 0 || s.impossible != "" || s.listed && !s.set[v.canonical()] {
		return false, nil
	}
	switch v.kind {
	case numberKind:
		r, err := rational(v.text)
		return err == nil && s.numbers.contains(r), err
	case stringKind:
		if !s.length.contain(utf8.RuneCountInString(v.text)) {
			return false, nil
		}
		for _, pattern := range s.patterns {
			if ok, err := c.matches(pattern, v.text); !ok || err != nil {
				return false, err
			}
		}
	case arrayKind:
		seen := map[string]bool{}
		for _, item := range v.items {
			seen[item.canonical()] = true
		}
		return s.items.contain(len(v.items)) && (!s.unique || len(seen) == len(v.items)), nil
	case objectKind:
		for _, name := range s.required {
			if v.get(name) == nil {
				return false, nil
			}
		}
		return s.members.contain(len(v.members)), nil
	}
	return true, nil
}

// contain reports whether n is in range.
func (c counts) contain(n int) bool { return n >= c.least && (c.most < 0 || n <= c.most) }

// applies reports whether a value satisfies what one keyword says by other schemas.
func (c *compiler) applies(v, schema *value, m member, depth int) (bool, error) {
	all := func(values, schemas []*value) (int, error) {
		n := 0
		for _, v := range values {
			for _, s := range schemas {
				ok, err := c.satisfies(v, s, depth)
				if err != nil {
					return 0, err
				}
				if ok {
					n++
				}
			}
		}
		return n, nil
	}
	self := []*value{v}
	switch m.name {
	case "$ref":
		target, err := c.references.target(schema)
		if err != nil {
			return false, err
		}
		return c.satisfies(v, target, depth)
	case "allOf":
		n, err := all(self, m.value.items)
		return n == len(m.value.items), err
	case "anyOf":
		n, err := all(self, m.value.items)
		return n > 0, err
	case "oneOf":
		n, err := all(self, m.value.items)
		return n == 1, err
	case "not":
		n, err := all(self, []*value{m.value})
		return n == 0, err
	case "if":
		n, err := all(self, []*value{m.value})
		branch := schema.get([]string{"else", "then"}[n])
		if err != nil || branch == nil {
			return err == nil, err
		}
		return c.satisfies(v, branch, depth)
	case "dependentRequired", "dependentSchemas", "dependencies":
		for _, dependent := range m.value.members {
			n, err := all(self, c.depends(dependent).branches)
			if n == 0 || err != nil {
				return false, err
			}
		}
	case "contains", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef":
		return false, fmt.Errorf("keyword %q: %w", m.name, ErrUnsupported)
	}
	return true, nil
}

// within reports whether the items or members of a value satisfy their schemas.
func (c *compiler) within(v, schema *value, depth int) (bool, error) {
	for i, item := range v.items {
		if of := itemOf(schema, i); of != nil {
			if ok, err := c.satisfies(item, of, depth); !ok || err != nil {
				return false, err
			}
		}
	}
	names := schema.get("propertyNames")
	for _, m := range v.members {
		all, err := c.memberOf(schema, m.name)
		if err != nil {
			return false, err
		}
		for _, of := range all {
			if ok, err := c.satisfies(m.value, of, depth); !ok || err != nil {
				return false, err
			}
		}
		if names == nil {
			continue
		}
		if ok, err := c.satisfies(&value{kind: stringKind, text: m.name}, names, depth); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// prefixOf returns the schemas of the first items. Before 2020, "items" had them.
func prefixOf(schema *value) []*value {
	if prefix := schema.get("prefixItems"); prefix != nil {
		return prefix.items
	}
	if items := schema.get("items"); items != nil {
		return items.items
	}
	return nil
}

// itemOf returns the schema of an item, or nil if it may be anything.
func itemOf(schema *value, i int) *value {
	if prefix := prefixOf(schema); i < len(prefix) {
		return prefix[i]
	}
	if items := schema.get("items"); items == nil || items.kind != arrayKind {
		return items
	}
	return schema.get("additionalItems")
}

// memberOf returns the schemas that one schema has for a member.
func (c *compiler) memberOf(schema *value, name string) (all []*value, err error) {
	if of := schema.get("properties").get(name); of != nil {
		all = append(all, of)
	}
	if patterns := schema.get("patternProperties"); patterns != nil {
		for _, m := range patterns.members {
			matches, err := c.matches(m.name, name)
			if err != nil {
				return nil, err
			}
			if matches {
				all = append(all, m.value)
			}
		}
	}
	if other := schema.get("additionalProperties"); other != nil && len(all) == 0 {
		all = append(all, other)
	}
	return all, nil
}
