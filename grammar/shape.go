package grammar

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// types is a set of the types of JSON. An integer is a number, so that number is both of the two kinds.
type types uint8

const (
	nullType types = 1 << iota
	booleanType
	integerType
	fractionType // a number that is no integer
	stringType
	arrayType
	objectType

	numberType = integerType | fractionType
	allTypes   = nullType | booleanType | numberType | stringType | arrayType | objectType
)

var typesByName = map[string]types{
	"null": nullType, "boolean": booleanType, "integer": integerType, "number": numberType, "string": stringType, "array": arrayType, "object": objectType,
}

// about is what the keywords restrict that are known here. Other names say nothing about values: JSON Schema calls them annotations.
// "format" is one, too (Validation, section 7): where there is no pattern, some formats are written anyway.
var about = map[string]types{
	"$ref": allTypes, "allOf": allTypes, "anyOf": allTypes, "oneOf": allTypes, "type": allTypes, "enum": allTypes, "const": allTypes, "not": allTypes, "nullable": allTypes,
	"minimum": numberType, "maximum": numberType, "exclusiveMinimum": numberType, "exclusiveMaximum": numberType, "multipleOf": numberType,
	"minLength": stringType, "maxLength": stringType, "pattern": stringType, "format": stringType,
	"items": arrayType, "prefixItems": arrayType, "additionalItems": arrayType, "minItems": arrayType, "maxItems": arrayType, "uniqueItems": arrayType,
	"properties": objectType, "required": objectType, "additionalProperties": objectType, "patternProperties": objectType, "propertyNames": objectType,
	"minProperties": objectType, "maxProperties": objectType,
	"unevaluatedItems": arrayType, "unevaluatedProperties": objectType, "dependentRequired": objectType, "dependentSchemas": objectType, "dependencies": objectType,
	// These are refused, unless the values are listed, which are checked.
	"if": allTypes, "then": allTypes, "else": allTypes, "$dynamicRef": allTypes, "$recursiveRef": allTypes,
	"contains": arrayType, "minContains": arrayType, "maxContains": arrayType,
}

// restricts reports whether a keyword says which values there are.
func restricts(keyword string) bool { return about[keyword] != 0 && keyword != "format" }

// shape is what values must be like to satisfy some schemas at once.
type shape struct {
	schemas []*value
	types   types
	named   bool            // a schema names types
	implied types           // those that other keywords are about
	listed  bool            // values has all
	values  []*value        // that "enum" and "const" leave
	set     map[string]bool // the same, by their canonical texts

	numbers
	length     counts
	patterns   []string
	format     string
	except     []string // strings that are left out
	items      counts
	unique     bool
	members    counts
	required   []string
	open       []string // keywords that are not enforced, with the types they restrict
	openTypes  []types
	outermost  *value  // the schema in which all others are; nil if there is none
	sealed     types   // of which no items or members are written beyond those that schemas mention
	impossible string  // why no value satisfies all
	object     *object // what the members are like; nil until it is asked for
}

// counts are how many characters, items or members there may be.
type counts struct{ least, most int } // most is negative if there is no limit

func newShape() *shape {
	none := counts{0, -1}
	return &shape{types: allTypes, length: none, items: none, members: none}
}

// clone returns a copy to which more can be added.
func (s *shape) clone() *shape {
	c := *s
	c.object = nil
	c.schemas, c.patterns, c.required = slices.Clip(s.schemas), slices.Clip(s.patterns), slices.Clip(s.required)
	c.except = slices.Clip(s.except)
	c.open, c.openTypes = slices.Clip(s.open), slices.Clip(s.openTypes)
	return &c
}

// written are the types of which values are written: where none is named, those that the keywords are about.
func (s *shape) written() types {
	if !s.named && s.implied != 0 {
		return s.types & s.implied
	}
	return s.types
}

// absorb adds what a schema says itself; what it says through other schemas is not for here.
func (s *shape) absorb(schema *value) error {
	s.schemas = append(s.schemas, schema)
	for _, m := range schema.members {
		if about[m.name] == 0 {
			continue
		}
		if t := about[m.name]; t != allTypes {
			s.implied |= t
		}
		if err := s.keyword(schema, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *shape) keyword(schema *value, m member) (err error) {
	switch m.name {
	case "type":
		return s.typed(schema, m.value)
	case "const":
		s.list([]*value{m.value})
	case "enum":
		if m.value.kind != arrayKind || len(m.value.items) == 0 {
			return fmt.Errorf("enum is not a list of values")
		}
		s.list(m.value.items)
	case "not":
		s.exclude(m.value)
	case "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum":
		return s.limit(schema, m)
	case "multipleOf":
		r, err := numberOf(m)
		if err == nil && r.Sign() <= 0 {
			err = fmt.Errorf("multipleOf is not above 0")
		}
		if err != nil {
			return err
		}
		s.divide(r)
	case "minLength", "maxLength":
		return s.length.limit(m)
	case "pattern":
		if m.value.kind != stringKind {
			return fmt.Errorf("pattern is not a string")
		}
		if !slices.Contains(s.patterns, m.value.text) {
			s.patterns = append(s.patterns, m.value.text)
		}
	case "format":
		s.format = m.value.text
	case "minItems", "maxItems":
		return s.items.limit(m)
	case "uniqueItems":
		s.unique = s.unique || m.value.kind == trueKind
	case "minProperties", "maxProperties":
		return s.members.limit(m)
	case "required":
		return s.require(m.value)
	case "minContains", "maxContains":
		if schema.get("contains") != nil {
			s.leave(m.name)
		}
	case "then", "else":
		if schema.get("if") != nil {
			s.leave(m.name)
		}
	case "if":
		if schema.get("then") != nil || schema.get("else") != nil {
			s.leave(m.name)
		}
	case "unevaluatedItems", "unevaluatedProperties":
		// Where all other schemas are within this one, what none of them mentions is what it means.
		if trivial(m.value) {
			break
		}
		if schema == s.outermost {
			s.sealed |= about[m.name]
		} else {
			s.leave(m.name)
		}
	case "contains", "$dynamicRef", "$recursiveRef":
		s.leave(m.name)
	}
	return nil
}

// exclude leaves out what satisfies another schema, as far as that is about types or lists strings.
func (s *shape) exclude(schema *value) {
	if trivial(schema) {
		s.impossible = "not: true, which no value satisfies"
		return
	}
	other := newShape()
	for _, m := range schema.members {
		if restricts(m.name) && m.name != "type" && m.name != "const" && m.name != "enum" {
			s.leave("not")
			return
		}
	}
	err := other.absorb(schema)
	switch named := other.types; {
	case schema.kind == falseKind:
	case err != nil || schema.kind != objectKind:
		s.leave("not")
	case other.listed:
		for _, v := range other.values {
			if v.kind != stringKind {
				s.leave("not")
				return
			}
			if named&stringType != 0 {
				s.except = append(s.except, v.text)
			}
		}
	case named&numberType == integerType: // what is left are numbers that have a fraction
		s.leave("not")
	default:
		s.types, s.named = s.types&^named, true
	}
}

// leave notes a keyword that is not enforced.
func (s *shape) leave(keyword string) {
	s.open = append(s.open, keyword)
	s.openTypes = append(s.openTypes, about[keyword])
}

// typed restricts the types. "nullable" is of OpenAPI 3.0: null is of the type, too.
func (s *shape) typed(schema, named *value) error {
	names := []*value{named}
	if named.kind == arrayKind {
		names = named.items
	}
	if len(names) == 0 {
		return fmt.Errorf("type: no type")
	}
	var all types
	for _, name := range names {
		t := typesByName[name.text]
		switch {
		case name.kind != stringKind:
			return fmt.Errorf("type: not a name, nor a list of names")
		case t == 0:
			return fmt.Errorf("there is no type %q", name.text)
		}
		all |= t
	}
	if nullable := schema.get("nullable"); nullable != nil && nullable.kind == trueKind {
		all |= nullType
	}
	s.types &= all
	s.named = true
	return nil
}

// list leaves only some values.
func (s *shape) list(values []*value) {
	in := map[string]bool{}
	var left []*value
	for _, v := range values {
		if key := v.canonical(); !in[key] && (!s.listed || s.set[key]) {
			in[key] = true
			left = append(left, v)
		}
	}
	s.listed, s.values, s.set = true, left, in
}

// numberOf returns the number that a keyword has.
func numberOf(m member) (*big.Rat, error) {
	if m.value.kind != numberKind {
		return nil, fmt.Errorf("%s is not a number", m.name)
	}
	return rational(m.value.text)
}

// limit adds a bound. In draft 4, "exclusiveMinimum" is true or false and says something about "minimum".
func (s *shape) limit(schema *value, m member) error {
	if k := m.value.kind; (k == trueKind || k == falseKind) && m.name[0] == 'e' {
		return nil
	}
	r, err := numberOf(m)
	if err != nil {
		return err
	}
	exclusive := func(name string) bool { v := schema.get(name); return v != nil && v.kind == trueKind }
	switch m.name {
	case "minimum":
		s.raise(bound{r, exclusive("exclusiveMinimum")})
	case "exclusiveMinimum":
		s.raise(bound{r, true})
	case "maximum":
		s.lower(bound{r, exclusive("exclusiveMaximum")})
	case "exclusiveMaximum":
		s.lower(bound{r, true})
	}
	return nil
}

// limit adds a count, of a keyword that begins with min or max.
func (c *counts) limit(m member) error {
	r, err := numberOf(m)
	if err != nil {
		return err
	}
	if !r.IsInt() || r.Sign() < 0 {
		return fmt.Errorf("%s is not a count", m.name)
	}
	n, err := strconv.Atoi(r.Num().String())
	switch {
	case m.name[:3] == "max" && err != nil: // more than there can be
	case m.name[:3] == "max":
		if c.most < 0 || n < c.most {
			c.most = n
		}
	case err != nil || n > maxCount:
		return fmt.Errorf("%s %s, more than %d: %w", m.name, m.value.text, maxCount, ErrUnsupported)
	default:
		c.least = max(c.least, n)
	}
	return nil
}

// written returns the counts of what is written: where there is a limit, no more than maxCount.
func (c counts) written() counts {
	c.most = min(c.most, maxCount)
	return c
}

// empty reports whether no count is left.
func (c counts) empty() bool { return c.most >= 0 && c.most < c.least }

// require adds names of properties.
func (s *shape) require(names *value) error {
	if names.kind != arrayKind {
		return fmt.Errorf("required is not a list of names")
	}
	for _, name := range names.items {
		if name.kind != stringKind {
			return fmt.Errorf("required is not a list of names")
		}
		s.required = append(s.required, name.text)
	}
	return nil
}
