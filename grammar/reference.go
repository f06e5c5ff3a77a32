package grammar

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// references finds the schemas of a document to which "$ref" leads. Each is looked up once.
type references struct {
	work     *work
	root     *value
	found    map[string]*value // by $ref
	names    map[string]*value // by $id and $anchor; nil until they are asked for
	embedded map[*value]bool   // references within a part that has an $id of its own
}

// newReferences returns those of a document. named says that an $id stands somewhere below its root.
func newReferences(w *work, root *value, named bool) *references {
	r := &references{work: w, root: root, found: map[string]*value{}, embedded: map[*value]bool{}}
	if named {
		r.names = map[string]*value{}
		r.collect(root, false)
	}
	return r
}

// target returns the schema to which the "$ref" of a schema leads.
func (r *references) target(from *value) (*value, error) {
	ref := from.get("$ref")
	if ref.kind != stringKind {
		return nil, errors.New("$ref is not a string")
	}
	if r.embedded[from] && strings.HasPrefix(ref.text, "#") {
		return nil, fmt.Errorf("$ref %q within a part that has an $id of its own: %w", ref.text, ErrUnsupported)
	}
	if v := r.found[ref.text]; v != nil {
		return v, nil
	}
	v, err := r.find(ref.text)
	if err != nil {
		return nil, fmt.Errorf("$ref %q: %w", ref.text, err)
	}
	r.found[ref.text] = v
	v.ref = ref.text
	return v, nil
}

// unescaped undoes the escapes of a JSON pointer (RFC 6901).
var unescaped = strings.NewReplacer("~1", "/", "~0", "~")

func (r *references) find(ref string) (*value, error) {
	base, fragment, _ := strings.Cut(ref, "#")
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return nil, err
	}
	v := r.root
	if base != "" {
		if v, err = r.named(base); err != nil {
			return nil, err
		}
	}
	if fragment != "" && fragment[0] != '/' {
		return r.named("#" + fragment)
	}
	for path := fragment; path != ""; {
		name, rest, more := strings.Cut(path[1:], "/")
		if path = ""; more {
			path = "/" + rest
		}
		name = unescaped.Replace(name)
		var next *value
		switch v.kind {
		case objectKind:
			next = v.get(name)
		case arrayKind:
			if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v.items) {
				next = v.items[i]
			}
		default:
			return nil, errors.New("it leads through something that is no object")
		}
		if next == nil {
			return nil, fmt.Errorf("there is no %q", name)
		}
		v = next
	}
	return v, nil
}

// named returns the schema with an $id, or with a # and an $anchor.
func (r *references) named(name string) (*value, error) {
	if r.names == nil {
		r.names = map[string]*value{}
		r.collect(r.root, false)
	}
	v := r.names[name]
	if v == nil {
		return nil, fmt.Errorf("only #/…, an $anchor or an $id within the schema: %w", ErrUnsupported)
	}
	return v, nil
}

// collect notes the names of a schema and of all below. Those below an inner $id are embedded: references in them that begin with # mean
// something else.
func (r *references) collect(v *value, embedded bool) {
	for _, item := range v.items {
		r.collect(item, embedded)
	}
	if id := v.get("$id"); id != nil && id.kind == stringKind {
		name, _, _ := strings.Cut(id.text, "#")
		r.names[name] = v
		embedded = embedded || v != r.root
	}
	if anchor := v.get("$anchor"); anchor != nil && anchor.kind == stringKind {
		r.names["#"+anchor.text] = v
	}
	if embedded && v.get("$ref") != nil {
		r.embedded[v] = true
	}
	for _, m := range v.members {
		switch m.name {
		case "enum", "const", "default", "examples":
		default:
			r.collect(m.value, embedded)
		}
	}
}

// resolve returns the schema that says all that v says: where v only refers to it, or is "allOf" of it alone, that one, and else v.
func (r *references) resolve(v *value) (*value, error) {
	var passed map[*value]bool
	at := v
	for at.resolved == nil {
		next, err := r.next(at)
		switch {
		case err != nil:
			return nil, err
		case next == nil:
			at.resolved = at
			continue
		case passed[at]:
			return nil, errors.New("a $ref leads back to itself with nothing between")
		case passed == nil:
			passed = map[*value]bool{}
		}
		passed[at] = true
		at = next
	}
	for p := range passed {
		p.resolved = at.resolved
	}
	return at.resolved, nil
}

// next returns the schema to which v refers, if it does nothing else, or nil.
func (r *references) next(v *value) (next *value, err error) {
	if !r.work.do(valueSteps) {
		return nil, r.work.err
	}
	for _, m := range v.members {
		switch {
		case m.name == "$ref" && next == nil:
			r.work.do(referenceSteps)
			if next, err = r.target(v); err != nil {
				return nil, err
			}
		case m.name == "allOf" && next == nil && len(m.value.items) == 1:
			next = m.value.items[0]
		case restricts(m.name):
			return nil, nil
		}
	}
	return next, nil
}

// shared reports whether a schema may come again below itself, or often: it becomes a rule of its own.
func (r *references) shared(v *value) bool {
	if v.ref != "" || v.get("$ref") != nil || v.get("allOf") != nil {
		return true
	}
	_, only, _ := onlyUnion(conjunction{v})
	return !only && (v.get("anyOf") != nil || v.get("oneOf") != nil)
}
