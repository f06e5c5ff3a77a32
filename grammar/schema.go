package grammar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ErrUnsupported is wrapped by errors about a schema that is well-formed and asks for what this package can't enforce. The
// error names the place and the keyword.
var ErrUnsupported = errors.New("unsupported")

// Bounds of schemas, which come from anywhere.
const (
	maxSchema = 1 << 20 // bytes
	maxNodes  = 1 << 18 // of the automaton
	maxDepth  = 64      // of nesting
	maxCount  = 4096    // in minItems, maxItems, minLength and maxLength
)

// JSONSchema returns the grammar of the JSON values of a schema, in one line. See the package's documentation for what a schema
// may have. An error about one that can't be enforced wraps [ErrUnsupported], about one that takes too much work [ErrTooLarge], and
// when ctx is done its error.
func (v *Vocabulary) JSONSchema(ctx context.Context, schema []byte) (*Grammar, error) {
	if len(schema) > maxSchema {
		return nil, fmt.Errorf("grammar: %w: %d bytes, more than %d", ErrTooLarge, len(schema), maxSchema)
	}
	if !json.Valid(schema) {
		return nil, errors.New("grammar: schema is not JSON")
	}
	c := &compiler{builder: newBuilder(oneLine, newWork(ctx, compileSteps)), root: schema, refs: map[string]int32{}}
	start := c.node()
	end, err := c.schema(start, schema, "#", 0)
	if err != nil {
		return nil, fmt.Errorf("grammar: schema: %w", err)
	}
	c.end(end)
	for len(c.pending) > 0 {
		next := c.pending[0]
		c.pending = c.pending[1:]
		end, err := c.schema(next.rule, next.schema, next.ref, 0)
		if err != nil {
			return nil, fmt.Errorf("grammar: schema: %w", err)
		}
		c.end(end)
	}
	if c.leftRecursive() {
		return nil, errors.New("grammar: schema: a $ref leads back to itself with nothing between")
	}
	return v.grammar(c.automaton, start), nil
}

// compiler makes rules of a schema.
type compiler struct {
	*builder
	root    json.RawMessage
	refs    map[string]int32 // rules by $ref
	pending []reference      // those still to be made
}

type reference struct {
	ref    string
	schema json.RawMessage
	rule   int32
}

// member is one of a JSON object, whose order counts here.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of a JSON object; of several with one name, the last.
func members(raw json.RawMessage, at string) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("at %s: not an object", at)
	}
	var list []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: t.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(o member) bool { return o.name == m.name }); i >= 0 {
			list[i] = m
		} else {
			list = append(list, m)
		}
	}
	return list, nil
}

// keywords are those of one schema.
type keywords struct {
	Type        json.RawMessage   `json:"type"`
	Properties  json.RawMessage   `json:"properties"`
	Required    []string          `json:"required"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	Items       json.RawMessage   `json:"items"`
	MinItems    *int              `json:"minItems"`
	MaxItems    *int              `json:"maxItems"`
	MinLength   *int              `json:"minLength"`
	MaxLength   *int              `json:"maxLength"`
	Pattern     *string           `json:"pattern"`
	AnyOf       []json.RawMessage `json:"anyOf"`
	Ref         *string           `json:"$ref"`
	constraints []string          // names of those that are present and restrict values
}

// enforced are the keywords that restrict values; annotations say something about them only. "format" is an annotation unless
// both sides agree otherwise (JSON Schema, Validation, section 7).
var (
	enforced = []string{
		"type", "properties", "required", "additionalProperties", "enum", "const", "items", "minItems", "maxItems", "minLength", "maxLength", "pattern", "anyOf",
		"$ref",
	}
	annotations = []string{
		"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format", "$schema", "$id", "$comment", "$defs", "definitions",
	}
)

func parse(raw json.RawMessage, at string) (*keywords, error) {
	list, err := members(raw, at)
	if err != nil {
		return nil, err
	}
	k := &keywords{}
	for _, m := range list {
		switch {
		case slices.Contains(enforced, m.name):
			k.constraints = append(k.constraints, m.name)
		case !slices.Contains(annotations, m.name):
			return nil, fmt.Errorf("at %s: keyword %q: %w", at, m.name, ErrUnsupported)
		}
	}
	if err := json.Unmarshal(raw, k); err != nil {
		return nil, fmt.Errorf("at %s: %w", at, err)
	}
	for _, n := range []*int{k.MinItems, k.MaxItems, k.MinLength, k.MaxLength} {
		if n != nil && (*n < 0 || *n > maxCount) {
			return nil, fmt.Errorf("at %s: a count of %d, outside 0 to %d: %w", at, *n, maxCount, ErrUnsupported)
		}
	}
	return k, nil
}

// alone fails if the schema has other constraints beside the keyword: it would have to satisfy both.
func (k *keywords) alone(keyword, at string) error {
	for _, other := range k.constraints {
		if other != keyword {
			return fmt.Errorf("at %s: %q beside %q: %w", at, other, keyword, ErrUnsupported)
		}
	}
	return nil
}

// schema takes a value of a schema, which stands at a place of the document.
func (c *compiler) schema(from int32, raw json.RawMessage, at string, depth int) (to int32, err error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("at %s: nested deeper than %d: %w", at, maxDepth, ErrUnsupported)
	}
	if !c.work.do(1) {
		return 0, c.work.err
	}
	if len(c.nodes) > maxNodes {
		return 0, fmt.Errorf("at %s: %w", at, ErrTooLarge)
	}
	switch string(bytes.TrimSpace(raw)) {
	case "true":
		return c.any(from), nil
	case "false":
		return 0, fmt.Errorf("at %s: schema false, which no value satisfies", at)
	}
	k, err := parse(raw, at)
	if err != nil {
		return 0, err
	}
	switch {
	case k.Ref != nil:
		if err := k.alone("$ref", at); err != nil {
			return 0, err
		}
		return c.reference(from, *k.Ref, at)
	case k.AnyOf != nil:
		if err := k.alone("anyOf", at); err != nil {
			return 0, err
		}
		return c.anyOf(from, k.AnyOf, at, depth)
	}
	types, err := k.types(at)
	if err != nil {
		return 0, err
	}
	if k.Enum != nil || k.Const != nil {
		return c.enum(from, k, types, at)
	}
	if len(types) == 0 {
		return c.any(from), nil
	}
	to = c.node()
	for _, t := range types {
		end, err := c.typed(from, t, k, at, depth)
		if err != nil {
			return 0, err
		}
		c.skip(end, to)
	}
	return to, nil
}

// types returns the types that a schema names, or that its other keywords are about; none if there are no such either.
func (k *keywords) types(at string) (types []string, err error) {
	if k.Type != nil {
		if k.Type[0] == '"' {
			types = []string{""}
			err = json.Unmarshal(k.Type, &types[0])
		} else {
			err = json.Unmarshal(k.Type, &types)
		}
		if err == nil && len(types) == 0 {
			err = errors.New("no type")
		}
		if err != nil {
			return nil, fmt.Errorf("at %s: type: %w", at, err)
		}
		return types, nil
	}
	switch {
	case k.Properties != nil || k.Required != nil || k.Additional != nil:
		return []string{"object"}, nil
	case k.Items != nil || k.MinItems != nil || k.MaxItems != nil:
		return []string{"array"}, nil
	case k.MinLength != nil || k.MaxLength != nil || k.Pattern != nil:
		return []string{"string"}, nil
	}
	return nil, nil
}

// typed takes a value of one type.
func (c *compiler) typed(from int32, t string, k *keywords, at string, depth int) (int32, error) {
	switch t {
	case "null":
		return c.text(from, "null"), nil
	case "boolean":
		to := c.node()
		c.skip(c.text(from, "true"), to)
		c.skip(c.text(from, "false"), to)
		return to, nil
	case "number", "integer":
		return c.number(from, t == "integer"), nil
	case "string":
		least, most, err := limits(k.MinLength, k.MaxLength, at)
		if err != nil {
			return 0, err
		}
		if k.Pattern == nil {
			return c.string(from, least, most), nil
		}
		to, err := c.match(c.text(from, `"`), *k.Pattern, least, most)
		if err != nil {
			return 0, fmt.Errorf("at %s: pattern %q: %w", at, *k.Pattern, err)
		}
		return to, nil
	case "array":
		return c.items(from, k, at, depth)
	case "object":
		return c.members(from, k, at, depth)
	}
	return 0, fmt.Errorf("at %s: there is no type %q", at, t)
}

// limits returns a lower limit and an upper one, negative if there is none.
func limits(lower, upper *int, at string) (least, most int, err error) {
	most = -1
	if lower != nil {
		least = *lower
	}
	if upper != nil {
		if most = *upper; most < least {
			return 0, 0, fmt.Errorf("at %s: from %d to %d: no value satisfies that", at, least, most)
		}
	}
	return least, most, nil
}

func (c *compiler) items(from int32, k *keywords, at string, depth int) (to int32, err error) {
	least, most, err := limits(k.MinItems, k.MaxItems, at)
	if err != nil {
		return 0, err
	}
	if k.Items == nil {
		return c.array(from, least, most, c.any), nil
	}
	to = c.array(from, least, most, func(from int32) int32 {
		end, itemErr := c.schema(from, k.Items, at+"/items", depth+1)
		err = itemErr
		return end
	})
	return to, err
}

func (c *compiler) members(from int32, k *keywords, at string, depth int) (to int32, err error) {
	var list []member
	if k.Properties != nil {
		if list, err = members(k.Properties, at+"/properties"); err != nil {
			return 0, err
		}
	}
	closed := string(k.Additional) == "false" || k.Additional == nil && k.Properties != nil
	value := func(raw json.RawMessage, at string) func(int32) int32 {
		return func(from int32) int32 {
			end, valueErr := c.schema(from, raw, at, depth+1)
			err = errors.Join(err, valueErr)
			return end
		}
	}
	var properties []property
	for _, m := range list {
		properties = append(properties, property{m.name, slices.Contains(k.Required, m.name), value(m.value, at+"/properties/"+m.name)})
	}
	for _, name := range k.Required {
		if slices.ContainsFunc(properties, func(p property) bool { return p.name == name }) {
			continue
		}
		if string(k.Additional) == "false" {
			return 0, fmt.Errorf("at %s: property %q is required and not allowed", at, name)
		}
		raw := k.Additional
		if raw == nil {
			raw = json.RawMessage("true")
		}
		properties = append(properties, property{name, true, value(raw, at+"/additionalProperties")})
	}
	var others func(int32) int32
	switch {
	case closed:
	case k.Additional == nil:
		others = c.any
	default:
		others = value(k.Additional, at+"/additionalProperties")
	}
	to = c.object(from, properties, others)
	return to, err
}

// anyOf takes a value of one of some schemas.
func (c *compiler) anyOf(from int32, schemas []json.RawMessage, at string, depth int) (int32, error) {
	if len(schemas) == 0 {
		return 0, fmt.Errorf("at %s: anyOf of nothing", at)
	}
	to := c.node()
	for i, raw := range schemas {
		end, err := c.schema(from, raw, at+"/anyOf/"+strconv.Itoa(i), depth+1)
		if err != nil {
			return 0, err
		}
		c.skip(end, to)
	}
	return to, nil
}

// enum takes one of the values that a schema lists.
func (c *compiler) enum(from int32, k *keywords, types []string, at string) (int32, error) {
	for _, keyword := range k.constraints {
		if keyword != "enum" && keyword != "const" && keyword != "type" {
			return 0, fmt.Errorf("at %s: %q beside a list of values: %w", at, keyword, ErrUnsupported)
		}
	}
	values := k.Enum
	if k.Const != nil {
		if k.Enum != nil {
			return 0, fmt.Errorf("at %s: \"enum\" beside \"const\": %w", at, ErrUnsupported)
		}
		values = []json.RawMessage{k.Const}
	}
	to, found := c.node(), false
	for _, raw := range values {
		value, t, err := c.constant(raw)
		if err != nil {
			return 0, fmt.Errorf("at %s: %w", at, err)
		}
		if len(types) == 0 || slices.Contains(types, t) || t == "integer" && slices.Contains(types, "number") {
			c.skip(c.text(from, value), to)
			found = true
		}
	}
	if !found {
		return 0, fmt.Errorf("at %s: none of the values listed is of the type", at)
	}
	return to, nil
}

// constant returns a value in the layout of the grammar, and its type.
func (c *compiler) constant(raw json.RawMessage) (text, kind string, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out strings.Builder
	kind, err = c.copyValue(&out, d, 0)
	return out.String(), kind, err
}

func (c *compiler) copyValue(out *strings.Builder, d *json.Decoder, depth int) (kind string, err error) {
	if depth > maxDepth {
		return "", fmt.Errorf("nested deeper than %d: %w", maxDepth, ErrUnsupported)
	}
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	switch t := token.(type) {
	case nil:
		out.WriteString("null")
		return "null", nil
	case bool:
		out.WriteString(strconv.FormatBool(t))
		return "boolean", nil
	case json.Number:
		out.WriteString(t.String())
		if strings.ContainsAny(t.String(), ".eE") {
			return "number", nil
		}
		return "integer", nil
	case string:
		out.WriteString(quoted(t))
		return "string", nil
	}
	object := token == json.Delim('{')
	kind = "array"
	if object {
		kind = "object"
	}
	out.WriteString(token.(json.Delim).String())
	for first := true; d.More(); first = false {
		if !first {
			out.WriteString(c.layout.comma)
		}
		if object {
			name, err := d.Token()
			if err != nil {
				return "", err
			}
			out.WriteString(quoted(name.(string)) + c.layout.colon)
		}
		if _, err := c.copyValue(out, d, depth+1); err != nil {
			return "", err
		}
	}
	end, err := d.Token()
	if err == nil {
		out.WriteString(end.(json.Delim).String())
	}
	return kind, err
}

// reference takes a value of the schema to which ref leads.
func (c *compiler) reference(from int32, ref, at string) (int32, error) {
	rule, known := c.refs[ref]
	if !known {
		raw, err := c.find(ref)
		if err != nil {
			return 0, fmt.Errorf("at %s: $ref %q: %w", at, ref, err)
		}
		rule = c.node()
		c.refs[ref] = rule
		c.pending = append(c.pending, reference{ref, raw, rule})
	}
	to := c.node()
	c.call(from, rule, to)
	return to, nil
}

// find returns the part of the document to which a JSON pointer leads (RFC 6901).
func (c *compiler) find(ref string) (json.RawMessage, error) {
	path, local := strings.CutPrefix(ref, "#")
	if !local || path != "" && path[0] != '/' {
		return nil, fmt.Errorf("only #/… within the schema: %w", ErrUnsupported)
	}
	raw := c.root
	for path != "" {
		name, rest, _ := strings.Cut(path[1:], "/")
		if path = rest; path != "" {
			path = "/" + path
		}
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		list, err := members(raw, ref)
		if err != nil {
			return nil, errors.New("it leads through something that is no object")
		}
		i := slices.IndexFunc(list, func(m member) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q", name)
		}
		raw = list[i].value
	}
	return raw, nil
}

// quoted returns a string in JSON.
func quoted(s string) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil && err != io.EOF {
		return `""` // strings can't fail
	}
	return strings.TrimSuffix(out.String(), "\n")
}
