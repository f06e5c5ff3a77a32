package grammar

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// value is a JSON value of a schema's document. Members keep their order, and numbers their digits. What the document writes in the same way
// twice is one value, so that it is compiled once.
type value struct {
	kind    kind
	id      int32
	text    string // of a string as it is read, of a number as it is written
	items   []*value
	members []member
	index   map[string]*value // of the members
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
	if v == nil {
		return nil
	}
	return v.index[name]
}

// document decodes JSON, once.
type document struct {
	decoder *json.Decoder
	known   map[string]*value
	key     []byte
	named   bool // an object below the root has an $id
}

// decode returns the value of valid JSON, and whether something below it has an $id.
func decode(text []byte) (root *value, named bool, err error) {
	d := &document{decoder: json.NewDecoder(bytes.NewReader(text)), known: map[string]*value{}}
	d.decoder.UseNumber()
	root, err = d.value(0)
	return root, d.named, err
}

func (d *document) value(depth int) (*value, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d: %w", maxNesting, ErrUnsupported)
	}
	token, err := d.decoder.Token()
	if err != nil {
		return nil, err
	}
	v := &value{}
	switch t := token.(type) {
	case nil:
	case bool:
		if v.kind = falseKind; t {
			v.kind = trueKind
		}
	case json.Number:
		v.kind, v.text = numberKind, t.String()
	case string:
		v.kind, v.text = stringKind, t
	case json.Delim:
		if t == '[' {
			err = d.array(v, depth)
		} else {
			err = d.object(v, depth)
		}
	}
	return d.one(v), err
}

func (d *document) array(v *value, depth int) error {
	v.kind = arrayKind
	for d.decoder.More() {
		item, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := d.decoder.Token()
	return err
}

// object reads the members. Of several with one name, the last counts.
func (d *document) object(v *value, depth int) error {
	v.kind, v.index = objectKind, map[string]*value{}
	defer func() {
		id := v.get("$id")
		d.named = d.named || depth > 0 && id != nil && id.kind == stringKind
	}()
	for d.decoder.More() {
		name, err := d.decoder.Token()
		if err != nil {
			return err
		}
		of, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		v.members = append(v.members, member{name.(string), of})
		v.index[name.(string)] = of
	}
	if len(v.members) > len(v.index) {
		last, members := v.index, v.members
		v.members, v.index = nil, map[string]*value{}
		for _, m := range members {
			if v.index[m.name] == nil {
				v.index[m.name] = last[m.name]
				v.members = append(v.members, member{m.name, last[m.name]})
			}
		}
	}
	_, err := d.decoder.Token()
	return err
}

// one returns the value that the document has already, if it has.
func (d *document) one(v *value) *value {
	d.key = append(d.key[:0], byte(v.kind))
	d.key = append(d.key, v.text...)
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
