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
	kind     kind
	id       int32
	says     int32  // of an object: the same as that of all others that differ from it only in what says nothing of a schema
	text     string // of a string as it is read, of a number as it is written
	items    []*value
	members  []member
	index    map[string]*value // of the members, if they are many
	same     string            // see canonical
	ref      string            // a "$ref" that leads to it, of those that were followed
	resolved *value            // see [references.resolve]; nil until it is asked for
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
	work    *work
	text    string
	at      int
	scalars [stringKind + 1]map[string]*value // by their texts
	known   map[string]*value                 // lists and objects
	says    map[string]int32                  // by the key of what an object says
	room    []value
	ids     int32
	key     []byte
	named   bool // an object below the root has an $id
}

// decode returns the value of valid JSON, and whether something below it has an $id.
func decode(w *work, text []byte) (root *value, named bool, err error) {
	w.do(len(text) * byteSteps)
	d := &decoder{work: w, text: string(text), known: map[string]*value{}, says: map[string]int32{}}
	for k := range d.scalars {
		d.scalars[k] = map[string]*value{}
	}
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
func (d *decoder) scalar(k kind, text string) *value {
	v := d.scalars[k][text]
	if v == nil {
		v = d.new(k)
		v.text = text
		d.scalars[k][text] = v
	}
	return v
}

// new returns a new value. Many are made at once.
func (d *decoder) new(k kind) *value {
	if len(d.room) == 0 {
		d.room = make([]value, 64)
	}
	v := &d.room[0]
	d.room = d.room[1:]
	v.kind, v.id, v.says = k, d.ids, d.ids
	d.ids++
	return v
}

func (d *decoder) word(k kind, word string) *value {
	d.at += len(word)
	return d.scalar(k, "")
}

func (d *decoder) string() string {
	begin, plain := d.at, true
	for d.at++; d.text[d.at] != '"'; d.at++ {
		if c := d.text[d.at]; c == '\\' {
			plain = false
			d.at++
		}
	}
	d.at++
	if plain && utf8.ValidString(d.text[begin:d.at]) {
		return d.text[begin+1 : d.at-1]
	}
	d.work.do(escapeSteps)
	var s string
	if err := json.Unmarshal([]byte(d.text[begin:d.at]), &s); err != nil {
		return "" // the document is valid
	}
	return s
}

func (d *decoder) array(depth int) (*value, error) {
	var items []*value
	for d.at++; d.next() != ']'; {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	d.at++
	d.key = append(d.key[:0], byte(arrayKind))
	for _, item := range items {
		d.key = binary.LittleEndian.AppendUint32(d.key, uint32(item.id))
	}
	v := d.known[string(d.key)]
	if v == nil {
		v = d.new(arrayKind)
		v.items = items
		d.known[string(d.key)] = v
	}
	return v, nil
}

// object reads the members. Of several with one name, the last counts.
func (d *decoder) object(depth int) (*value, error) {
	var members []member
	var places map[string]int // of the members, once they are many
	for d.at++; d.next() != '}'; {
		name := d.string()
		d.next()
		of, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		i, twice := places[name]
		if places == nil {
			i = slices.IndexFunc(members, func(m member) bool { return m.name == name })
			twice = i >= 0
		}
		if twice {
			members[i].value = of
			continue
		}
		members = append(members, member{name, of})
		switch n := len(members); {
		case places != nil:
			places[name] = n - 1
		case n > fewMembers:
			places = map[string]int{}
			for i, m := range members {
				places[m.name] = i
			}
		}
		d.named = d.named || depth > 0 && name == "$id" && of.kind == stringKind
	}
	d.at++
	return d.one(members), nil
}

// one returns the object that the document has already, or a new one.
func (d *decoder) one(members []member) *value {
	d.membersKey(members, func(string) bool { return true })
	if v := d.known[string(d.key)]; v != nil {
		return v
	}
	v := d.new(objectKind)
	d.known[string(d.key)] = v
	v.members = members
	if len(members) > fewMembers {
		v.index = make(map[string]*value, len(members))
		for _, m := range members {
			v.index[m.name] = m.value
		}
	}
	if d.membersKey(members, func(name string) bool { return about[name] != 0 }) && v.get("$ref") == nil { // what a reference means depends on its place
		says, ok := d.says[string(d.key)]
		if !ok {
			says = v.id
			d.says[string(d.key)] = says
		}
		v.says = says
	}
	return v
}

// membersKey makes the key of those members of an object that count, and reports whether some do not.
func (d *decoder) membersKey(members []member, counts func(name string) bool) (left bool) {
	d.key = append(d.key[:0], byte(objectKind))
	for _, m := range members {
		if !counts(m.name) {
			left = true
			continue
		}
		d.key = binary.AppendUvarint(d.key, uint64(len(m.name)))
		d.key = append(d.key, m.name...)
		d.key = binary.LittleEndian.AppendUint32(d.key, uint32(m.value.id))
	}
	return left
}

// canonical returns a text that two values share if they are the same to JSON Schema: numbers by what they are, members in any order.
func (v *value) canonical() string {
	switch {
	case v.same != "":
	case v.kind == stringKind:
		v.same = `"` + v.text
	case v.kind == numberKind && whole(v.text):
		v.same = v.text
	default:
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

// spelled returns the value in a layout.
func (v *value) spelled(l layout) string {
	switch v.kind {
	case numberKind:
		return v.text
	case stringKind:
		return quoted(v.text)
	}
	var text strings.Builder
	v.write(&text, l)
	return text.String()
}

// write appends the value in a layout.
func (v *value) write(out *strings.Builder, l layout) {
	switch v.kind {
	case nullKind:
		out.WriteString(l.null)
	case falseKind:
		out.WriteString(l.no)
	case trueKind:
		out.WriteString(l.yes)
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
