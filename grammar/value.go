package grammar

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// value is a JSON value of a schema's document. Members keep their order, and numbers their digits. What the document writes in the same way
// twice is one value, so that it is compiled once.
type value struct {
	kind    kind
	id      int32
	text    string // of a string as it is read, of a number as it is written
	items   []*value
	members []member
	index   map[string]*value // of the members, if they are many
	same    string            // see canonical
}

type kind uint8

const (
	nullKind kind = iota
	falseKind
	trueKind
	numberKind
	stringKind
	arrayKind
	objectKind
)

// member is one of a JSON object, whose order counts here.
type member struct {
	name  string
	value *value
}

// get returns a member of an object, or nil.
func (v *value) get(name string) *value {
	switch {
	case v == nil:
	case v.index != nil:
		return v.index[name]
	default:
		for _, m := range v.members {
			if m.name == name {
				return m.value
			}
		}
	}
	return nil
}

// fewMembers are found without an index.
const fewMembers = 8

// decoder reads a document, which is valid JSON, once.
type decoder struct {
	work  *work
	text  []byte
	at    int
	known map[string]*value
	key   []byte
	named bool // an object below the root has an $id
}

// decode returns the value of valid JSON, and whether something below it has an $id.
func decode(w *work, text []byte) (root *value, named bool, err error) {
	w.do(len(text) * byteSteps)
	d := &decoder{work: w, text: text, known: map[string]*value{}}
	root, err = d.value(0)
	return root, d.named, err
}

// next skips white space, commas and colons, and returns the byte after them.
func (d *decoder) next() byte {
	for {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			d.at++
		default:
			return c
		}
	}
}

func (d *decoder) value(depth int) (v *value, err error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d: %w", maxNesting, ErrUnsupported)
	}
	if !d.work.do(valueSteps) {
		return nil, d.work.err
	}
	switch d.next() {
	case 'n':
		v = d.word(nullKind, "null")
	case 't':
		v = d.word(trueKind, "true")
	case 'f':
		v = d.word(falseKind, "false")
	case '"':
		v = d.scalar(stringKind, d.string())
	case '[':
		v, err = d.array(depth)
	case '{':
		v, err = d.object(depth)
	default:
		begin := d.at
		for d.at < len(d.text) && strings.IndexByte("+-.eE0123456789", d.text[d.at]) >= 0 {
			d.at++
		}
		v = d.scalar(numberKind, d.text[begin:d.at])
	}
	return v, err
}

// scalar returns the value of a kind and a text that the document has already, or a new one.
func (d *decoder) scalar(k kind, text []byte) *value {
	d.key = append(append(d.key[:0], byte(k)), text...)
	v := d.known[string(d.key)]
	if v == nil {
		v = d.keep(&value{kind: k, text: string(text)})
	}
	return v
}

func (d *decoder) word(k kind, word string) *value {
	d.at += len(word)
	return d.scalar(k, nil)
}

func (d *decoder) string() []byte {
	begin, plain := d.at, true
	for d.at++; d.text[d.at] != '"'; d.at++ {
		if c := d.text[d.at]; c == '\\' {
			plain = false
			d.at++
		}
	}
	d.at++
	if plain && utf8.Valid(d.text[begin:d.at]) {
		return d.text[begin+1 : d.at-1]
	}
	d.work.do(escapeSteps)
	var s string
	if err := json.Unmarshal(d.text[begin:d.at], &s); err != nil {
		return nil // the document is valid
	}
	return []byte(s)
}

func (d *decoder) array(depth int) (*value, error) {
	v := &value{kind: arrayKind}
	for d.at++; d.next() != ']'; {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
	d.at++
	return d.one(v), nil
}

// object reads the members. Of several with one name, the last counts.
func (d *decoder) object(depth int) (*value, error) {
	v := &value{kind: objectKind}
	var places map[string]int // of the members, once they are many
	for d.at++; d.next() != '}'; {
		name := string(d.string())
		d.next()
		of, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		i, twice := places[name]
		if places == nil {
			i = slices.IndexFunc(v.members, func(m member) bool { return m.name == name })
			twice = i >= 0
		}
		if twice {
			v.members[i].value = of
			continue
		}
		v.members = append(v.members, member{name, of})
		switch n := len(v.members); {
		case places != nil:
			places[name] = n - 1
		case n > fewMembers:
			places = map[string]int{}
			for i, m := range v.members {
				places[m.name] = i
			}
		}
		d.named = d.named || depth > 0 && name == "$id" && of.kind == stringKind
	}
	d.at++
	if len(v.members) > fewMembers {
		v.index = make(map[string]*value, len(v.members))
		for _, m := range v.members {
			v.index[m.name] = m.value
		}
	}
	return d.one(v), nil
}

// one returns the list or object that the document has already, or this one.
func (d *decoder) one(v *value) *value {
	d.key = append(d.key[:0], byte(v.kind))
	for _, item := range v.items {
		d.key = binary.LittleEndian.AppendUint32(d.key, uint32(item.id))
	}
	for _, m := range v.members {
		d.key = binary.AppendUvarint(d.key, uint64(len(m.name)))
		d.key = append(d.key, m.name...)
		d.key = binary.LittleEndian.AppendUint32(d.key, uint32(m.value.id))
	}
	if known := d.known[string(d.key)]; known != nil {
		return known
	}
	return d.keep(v)
}

// keep notes a new value, by the key.
func (d *decoder) keep(v *value) *value {
	v.id = int32(len(d.known))
	d.known[string(d.key)] = v
	return v
}

// canonical returns a text that two values share if they are the same to JSON Schema: numbers by what they are, members in any order.
func (v *value) canonical() string {
	if v.same == "" {
		var out strings.Builder
		v.writeCanonical(&out)
		v.same = out.String()
	}
	return v.same
}

func (v *value) writeCanonical(out *strings.Builder) {
	switch v.kind {
	case numberKind:
		if r, err := rational(v.text); err == nil {
			out.WriteString(r.RatString())
			return
		}
		v.write(out, oneLine)
	case arrayKind:
		out.WriteByte('[')
		for _, item := range v.items {
			item.writeCanonical(out)
			out.WriteByte(',')
		}
		out.WriteByte(']')
	case objectKind:
		out.WriteByte('{')
		members := slices.Clone(v.members)
		slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
		for _, m := range members {
			out.WriteString(quoted(m.name))
			m.value.writeCanonical(out)
			out.WriteByte(',')
		}
		out.WriteByte('}')
	default:
		v.write(out, oneLine)
	}
}

// write appends the value in a layout.
func (v *value) write(out *strings.Builder, l layout) {
	switch v.kind {
	case nullKind:
		out.WriteString("null")
	case falseKind:
		out.WriteString("false")
	case trueKind:
		out.WriteString("true")
	case numberKind:
		out.WriteString(v.text)
	case stringKind:
		out.WriteString(quoted(v.text))
	case arrayKind:
		out.WriteByte('[')
		for i, item := range v.items {
			if i > 0 {
				out.WriteString(l.comma)
			}
			item.write(out, l)
		}
		out.WriteByte(']')
	case objectKind:
		out.WriteByte('{')
		for i, m := range v.members {
			if i > 0 {
				out.WriteString(l.comma)
			}
			out.WriteString(quoted(m.name) + l.colon)
			m.value.write(out, l)
		}
		out.WriteByte('}')
	}
}
