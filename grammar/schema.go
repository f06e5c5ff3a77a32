package grammar

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrUnsupported is wrapped by errors about a schema that is well-formed and asks for what this package can't enforce. The
// error names the place and the keyword.
var ErrUnsupported = errors.New("unsupported")

// errNoSchema is about a value that stands where a schema should.
var errNoSchema = errors.New("not an object, nor true or false: it is no schema")

// Bounds of conjunction, which come from anywhere.
const (
	maxSchema = 1 << 20  // bytes
	maxSize   = 16 << 20 // bytes of memory of the automaton
	// inlineNodes are those from which on equal schemas are one rule each. A small automaton gives masks faster without.
	inlineNodes = 1 << 12
	maxNesting  = 128  // of a schema's JSON
	maxDepth    = 64   // of groups in a pattern
	maxCount    = 4096 // in minItems, maxItems, minLength and the like
)

// JSONSchema returns the grammar of the JSON values of a schema, in one line. See the package's documentation for what a schema
// may have. An error about one that can't be enforced wraps [ErrUnsupported], about one that takes too much work [ErrTooLarge], and
// when ctx is done its error.
func (v *Vocabulary) JSONSchema(ctx context.Context, schema []byte) (*Grammar, error) {
	return v.schema(newWork(ctx, compileSteps), schema)
}

func (v *Vocabulary) schema(w *work, schema []byte) (*Grammar, error) {
	c, root, err := newCompiler(newBuilder(oneLine, w), schema)
	if err != nil {
		return nil, err
	}
	start, err := c.compile(root)
	if err != nil {
		return nil, cmp.Or(w.err, fmt.Errorf("grammar: schema: %w", err))
	}
	return v.finish(c.graph, start, len(c.wide) > 0, func() error { return fmt.Errorf("grammar: schema: %w", c.nothing()) })
}

// finish returns the grammar of a rule; nothing says why there is no text of it. wide is whether it has choices of many that were merged.
func (v *Vocabulary) finish(graph *graph, start int32, wide bool, nothing func() error) (*Grammar, error) {
	w := graph.work
	switch {
	case w.err != nil:
		return nil, w.err
	case !graph.prune(start):
		return nil, cmp.Or(w.err, nothing())
	case graph.leftRecursive():
		return nil, errors.New("grammar: schema: a $ref leads back to itself with nothing between")
	}
	g := v.grammar(graph, start)
	if w.err != nil {
		return nil, w.err
	}
	if wide {
		if err := g.try(w); err != nil {
			return nil, err
		}
	}
	if size := g.automaton.size(); size > maxSize {
		return nil, fmt.Errorf("grammar: %w: its automaton takes %d bytes, more than %d", ErrTooLarge, size, maxSize)
	}
	return g, nil
}

// compiler makes rules of a schema.
type compiler struct {
	*builder
	references *references
	shapes     map[string][]*shape  // by schemas that must be satisfied at once
	own        map[*value]*shape    // of a schema without what it leads to
	rules      map[string]int32     // by schemas
	pending    []rule               // those still to be made
	wide       []int32              // rules that are choices of many others
	ranges     map[string]int32     // rules of numbers
	languages  map[string]*language // by pattern
	schemas    map[string]*value    // made here, by their texts
	nowhere    error                // why the first place where no value is possible has none
}

type rule struct {
	of   conjunction
	at   *path
	node int32
}

// newCompiler reads a schema, whose rules are to be made by b.
func newCompiler(b *builder, schema []byte) (c *compiler, root *value, err error) {
	if len(schema) > maxSchema {
		return nil, nil, fmt.Errorf("grammar: %w: %d bytes, more than %d", ErrTooLarge, len(schema), maxSchema)
	}
	if !json.Valid(schema) {
		return nil, nil, errors.New("grammar: schema is not JSON")
	}
	root, named, err := decode(b.work, schema)
	if err != nil {
		return nil, nil, cmp.Or(b.work.err, fmt.Errorf("grammar: schema: %w", err))
	}
	return &compiler{
		builder: b, references: newReferences(b.work, root, named),
		shapes: map[string][]*shape{}, own: map[*value]*shape{}, rules: map[string]int32{}, languages: map[string]*language{}, schemas: map[string]*value{}, ranges: map[string]int32{},
	}, root, nil
}

// compile makes the rules of a schema, and returns the first.
func (c *compiler) compile(root *value) (start int32, err error) {
	all, err := c.add(nil, root)
	if err != nil {
		return 0, err
	}
	start = c.node()
	c.pending = append(c.pending, rule{all, &path{name: "#"}, start})
	return start, c.finish()
}

// finish makes the rules that are still to be made.
func (c *compiler) finish() error {
	for len(c.pending) > 0 {
		next := c.pending[len(c.pending)-1]
		c.pending = c.pending[:len(c.pending)-1]
		end, err := c.write(next.node, next.of, next.at)
		if err != nil {
			return err
		}
		c.end(end)
	}
	merger := &choices{graph: c.graph, known: map[string]int32{}, rests: map[text]int32{}, limit: (c.work.steps + c.work.limit) / 2}
	for _, node := range c.wide {
		merger.merge(node)
	}
	return nil
}

// nothing returns an error that says why no value satisfies the schema.
func (c *compiler) nothing() error {
	if c.nowhere != nil {
		return c.nowhere
	}
	return errors.New("no value satisfies the schema: it has no end")
}

// value takes a value that satisfies some schemas, which stand at a place of the document.
func (c *compiler) value(from int32, all conjunction, at *path) (to int32, err error) {
	switch {
	case len(all) == 0:
		return c.any(from), nil
	case len(all) == 1 && !c.references.shared(all[0]) && (len(c.nodes) < inlineNodes || all[0].get("const") != nil):
		return c.write(from, all, at)
	}
	to = c.node()
	c.call(from, c.rule(all, at), to)
	return to, nil
}

// rule returns the rule of some schemas.
func (c *compiler) rule(all conjunction, at *path) int32 {
	key := all.key()
	node, known := c.rules[key]
	if !known {
		node = c.node()
		c.rules[key] = node
		if len(all) == 1 && all[0].ref != "" {
			at = &path{name: all[0].ref}
		}
		c.pending = append(c.pending, rule{all, at, node})
	}
	return node
}

// manyBranches are those from which on what they begin with in common is one way.
const manyBranches = 8

// write takes a value like value, without a rule of its own.
func (c *compiler) write(from int32, all conjunction, at *path) (to int32, err error) {
	switch {
	case !c.work.do(shapeSteps):
		return 0, c.work.err
	case len(all) == 0:
		return c.any(from), nil
	case all.never():
		return c.none(at, "schema false, which no value satisfies"), nil
	}
	if of, ok, err := onlyUnion(all); err != nil || ok {
		if err == nil {
			to, err = c.union(from, of, at)
		}
		return to, located(at, err)
	}
	shapes, err := c.alternatives(all)
	if err != nil {
		return 0, located(at, err)
	}
	to = c.node()
	merged := len(all) > 1 || len(shapes) > 1
	for _, s := range shapes {
		switch {
		case s.impossible == "":
			err = c.shape(from, s, to, at, merged)
		case merged:
			c.none(at, s.impossible)
		default:
			err = errors.New(s.impossible)
		}
		if err != nil {
			return 0, located(at, err)
		}
	}
	return to, nil
}

// none returns a node to which nothing leads, and notes why.
func (c *compiler) none(at *path, why string) int32 {
	if c.nowhere == nil {
		c.nowhere = located(at, errors.New(why))
	}
	return c.node()
}

// onlyUnion returns the choice of a schema that has no other keyword.
func onlyUnion(all conjunction) (of union, ok bool, err error) {
	if len(all) != 1 {
		return union{}, false, nil
	}
	for _, m := range all[0].members {
		switch {
		case (m.name == "anyOf" || m.name == "oneOf") && !ok:
			if of, err = unionOf(m); err != nil {
				return union{}, false, err
			}
			ok = true
		case restricts(m.name):
			return union{}, false, nil
		}
	}
	return of, ok, nil
}

// union takes a value of one of some schemas.
func (c *compiler) union(from int32, of union, at *path) (int32, error) {
	of, err := c.gather(of)
	if err != nil {
		return 0, err
	}
	var branches []conjunction
	var places []int
	var groups [][]*shape
	seen := map[string]bool{} // by what must be satisfied
	for i, branch := range of.branches {
		all, err := c.add(nil, branch)
		if err != nil {
			return 0, err
		}
		if of.keyword == "oneOf" {
			shapes, err := c.alternatives(all)
			if err != nil {
				return 0, located(at.in("oneOf", strconv.Itoa(of.places[i])), err)
			}
			groups = append(groups, shapes)
		} else if key := all.key(); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		branches, places = append(branches, all), append(places, of.places[i])
	}
	property, err := c.exclusive(groups, of.places)
	if err != nil {
		return 0, err
	}
	if property != "" {
		for i := range branches {
			branches[i] = append(slices.Clip(branches[i]), c.requiring(property))
		}
	}
	to := c.node()
	if len(branches) >= manyBranches {
		choice := c.node()
		for i, branch := range branches {
			c.skip(choice, c.rule(branch, at.in(of.keyword, strconv.Itoa(places[i]))))
		}
		c.wide = append(c.wide, choice)
		c.call(from, choice, to)
		return to, nil
	}
	for i, branch := range branches {
		end, err := c.value(from, branch, at.in(of.keyword, strconv.Itoa(places[i])))
		if err != nil {
			return 0, err
		}
		c.skip(end, to)
	}
	return to, nil
}

// requiring returns the schema of the objects that have a property.
func (c *compiler) requiring(property string) *value {
	return c.made(&value{kind: objectKind, members: []member{{"required", &value{kind: arrayKind, items: []*value{{kind: stringKind, text: property}}}}}})
}

// made returns a schema that the document does not have, or has made before.
func (c *compiler) made(schema *value) *value {
	key := schema.canonical()
	if known := c.schemas[key]; known != nil {
		return known
	}
	schema.id = -1 - int32(len(c.schemas))
	schema.says = schema.id
	c.schemas[key] = schema
	return schema
}

// shape takes a value of a shape. If that is merged from schemas that others may have written, types without values are left out.
func (c *compiler) shape(from int32, s *shape, to int32, at *path, merged bool) error {
	if s.listed {
		var texts []string
		for _, v := range s.values {
			if !c.work.do(valueSteps) {
				return c.work.err
			}
			texts = append(texts, v.spelled(c.layout))
		}
		c.skip(c.either(from, texts), to)
		return nil
	}
	written := s.written()
	for i, keyword := range s.open {
		if s.openTypes[i]&written != 0 {
			return fmt.Errorf("keyword %q: %w", keyword, ErrUnsupported)
		}
	}
	if written == allTypes && s.implied == 0 && len(s.except) == 0 {
		c.skip(c.any(from), to)
		return nil
	}
	for _, kind := range []types{nullType, booleanType, numberType, stringType, arrayType, objectType} {
		if written&kind == 0 {
			continue
		}
		end, err := c.typed(from, written&kind, s, at)
		if merged && (errors.Is(err, errNoNumber) || errors.Is(err, errNoString)) {
			end, err = c.none(at, err.Error()), nil
		}
		if err != nil {
			return err
		}
		c.skip(end, to)
	}
	return nil
}

// typed takes a value of one type.
func (c *compiler) typed(from int32, kind types, s *shape, at *path) (int32, error) {
	switch kind {
	case nullType:
		return c.text(from, c.layout.null), nil
	case booleanType:
		return c.either(from, []string{c.layout.yes, c.layout.no}), nil
	case stringType:
		return c.strings(from, s.texts())
	case arrayType:
		return c.arrays(from, s, at)
	case objectType:
		return c.objects(from, s, at)
	}
	n := s.numbers
	n.integer = kind == integerType
	return c.number(from, n)
}

// number takes a number of a set. The same ranges come often: each is one rule.
func (c *compiler) number(from int32, n numbers) (to int32, err error) {
	if n.unbounded() {
		return c.builder.number(from, n.integer), nil
	}
	key := n.String()
	rule, known := c.ranges[key]
	if !known {
		rule = c.node()
		end, err := c.builder.numbers(rule, n)
		if err != nil {
			return 0, err
		}
		c.end(end)
		c.ranges[key] = rule
	}
	to = c.node()
	c.call(from, rule, to)
	return to, nil
}

// quoted returns a string in JSON.
func quoted(s string) string {
	if special := func(r rune) bool {
		return r < ' ' || r == '"' || r == '\\' || r == 0x2028 || r == 0x2029 || r == utf8.RuneError
	}; !strings.ContainsFunc(s, special) {
		return `"` + s + `"`
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil && err != io.EOF {
		return `""` // strings can't fail
	}
	return strings.TrimSuffix(out.String(), "\n")
}
