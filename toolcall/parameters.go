package toolcall

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lever-go/lever/grammar"
)

// findParameters learns the syntax of calls that have their arguments one by one. answer returns what the template writes, from where answers begin, of a
// call with some arguments.
func (s *Syntax) findParameters(ctx context.Context, answer func(arguments string) (string, error)) error {
	unknown := fmt.Errorf("the chat template writes calls neither with a JSON object nor with one argument after the other: %w", ErrUnsupported)
	var before string
	var calls [3]string // from the name to the end of the turn
	for i, arguments := range []string{`{"` + probeKey + `": "` + probeFirst + `", "` + probeOther + `": "` + probeThen + `"}`, `{}`, `{"` + probeKey + `": true}`} {
		text, err := answer(arguments)
		if err != nil {
			return unknown
		}
		var ok bool
		before, text, _ = strings.Cut(text, probeName)
		if calls[i], ok = s.untilEnd(text); !ok {
			return unknown
		}
	}
	w, ok := cutParameters(calls[0], calls[2])
	if !ok || !w.fit(calls[1]) {
		return unknown
	}
	s.middle, s.end, s.parameters = w.begin, w.end, w.parameters()
	if s.parameters == nil {
		return unknown
	}
	if strings.Contains(before+calls[0], probeID) || s.middle == "" || s.end == "" || strings.IndexByte(nameBytes, s.middle[0]) >= 0 {
		return fmt.Errorf("the chat template writes calls with ids, or nothing around them: %w", ErrUnsupported)
	}
	if err := s.open(before); err != nil {
		return err
	}
	s.between = s.separator(ctx, func(text, value string) (string, bool) {
		_, rest, ok := strings.Cut(text, value)
		rest, ends := strings.CutPrefix(rest, w.quote+w.after)
		return rest, ok && ends
	})
	return nil
}

// around is what a template writes around arguments:
//
//	begin ( before KEY equals quote TEXT quote after ( between before KEY equals … )* )? end
type around struct {
	begin, before, equals, quote, after, between, end string

	first, second, rest string // up to the first key, between a text and the next key, and after the last text
	python              bool
}

// cutParameters finds what is around two texts, and around true, which no quotes are around.
func cutParameters(both, word string) (w around, ok bool) {
	var parts [4]string
	for i, value := range []string{probeKey, probeFirst, probeOther, probeThen} {
		if parts[i], both, ok = strings.Cut(both, value); !ok {
			return w, false
		}
	}
	_, value, _ := strings.Cut(word, probeKey)
	at := strings.Index(value, "rue") - 1
	if at < 0 || parts[1] != parts[3] || !strings.HasPrefix(parts[1], value[:at]) {
		return w, false
	}
	w.equals, w.python = value[:at], value[at] == 'T'
	w.quote = parts[1][at:]
	w.first, w.second, w.rest = parts[0], strings.TrimPrefix(parts[2], w.quote), strings.TrimPrefix(both, w.quote)
	return w, w.equals != "" && (w.quote == "" || w.quote == `"` || w.quote == "'")
}

// fit finds where the parts end, by what is written around no arguments.
func (w *around) fit(none string) bool {
	n := 0
	for n < min(len(none), len(w.first)) && none[n] == w.first[n] {
		n++
	}
	for ; n >= 0; n-- {
		var ok, starts, ends bool
		w.begin, w.before, w.end = none[:n], w.first[n:], none[n:]
		w.after, ok = strings.CutSuffix(w.rest, w.end)
		w.between, starts = strings.CutPrefix(w.second, w.after)
		w.between, ends = strings.CutSuffix(w.between, w.before)
		if ok && starts && ends {
			return true
		}
	}
	return false
}

// parameters returns how arguments are written, or nil if that is not known. What looks like a call in Python has values as Python has them, whatever the
// template writes around texts: some have a mistake there, and the conversation tells the model how to call.
func (w *around) parameters() *grammar.Parameters {
	p := &grammar.Parameters{Before: w.before, Equals: w.equals, After: w.after, Between: w.between, Python: w.python}
	switch {
	case strings.HasSuffix(w.begin, "(") && strings.HasPrefix(w.end, ")") && w.equals == "=" && w.between != "":
		p.After, p.Between = "", strings.TrimLeft(w.between, w.quote)
	case w.quote != "":
	case w.after == "":
		return nil
	default:
		// What a template writes for true is Python's word in some whose models write JSON in arguments: their lists and objects are JSON.
		p.Python = false
		p.Raw = p.After
		if tag := strings.IndexByte(p.After, '>'); tag >= 0 {
			p.Raw = p.After[:tag+1]
		}
	}
	return p
}

// texts are, by tool, the parameters whose values stand as they are.
type texts map[string]map[string]bool

// typesOf returns a schema that has only the types of the properties of another one, and which ones are required.
func typesOf(schema json.RawMessage) json.RawMessage {
	var s struct {
		Properties json.RawMessage `json:"properties"`
		Required   []string        `json:"required,omitempty"`
	}
	none := json.RawMessage(`{"type": "object", "properties": {}}`)
	if json.Unmarshal(schema, &s) != nil {
		return none
	}
	properties := json.NewDecoder(strings.NewReader(string(s.Properties)))
	if start, err := properties.Token(); err != nil || start != json.Delim('{') {
		return none
	}
	list := "{"
	for properties.More() {
		name, err := properties.Token()
		var property any
		if err != nil || properties.Decode(&property) != nil {
			return none
		}
		kind := map[string]any{}
		if members, ok := property.(map[string]any); ok && members["type"] != nil {
			kind["type"] = members["type"]
		}
		key, errKey := json.Marshal(name)
		value, errValue := json.Marshal(kind)
		if errKey != nil || errValue != nil {
			return none
		}
		if list != "{" {
			list += ", "
		}
		list += string(key) + ": " + string(value)
	}
	required, err := json.Marshal(append([]string{}, s.Required...))
	if err != nil {
		return none
	}
	return json.RawMessage(`{"type": "object", "properties": ` + list + `}, "required": ` + string(required) + `}`)
}

// converter turns arguments that are written one by one into a JSON object, byte by byte.
type converter struct {
	*grammar.Parameters
	texts map[string]bool // the parameters whose values stand as they are
	ends  []string        // what may follow the last argument
	part  argumentPart
	some  bool   // there is an argument
	read  string // of a part that is not done
	value value  // of JSON or Python
	json  []byte // that is made
}

// newConverter returns a converter at the beginning of arguments.
func newConverter(p *grammar.Parameters, texts map[string]bool, end, between string) *converter {
	c := &converter{Parameters: p, texts: texts, ends: []string{end}, value: value{python: p.Python}, json: []byte{'{'}}
	if between != "" {
		c.ends = append(c.ends, between)
	}
	return c
}

// argumentPart is where in the arguments the text is.
type argumentPart uint8

const (
	seeking   argumentPart = iota // the next argument, or the end
	keying                        // in a name
	inRaw                         // in a value as it stands
	inValue                       // in another one
	following                     // what comes after a value
)

// take takes a byte. It returns true when the arguments are complete: what was read then belongs to what follows.
func (c *converter) take(b byte) bool {
	c.read += string([]byte{b})
	switch c.part {
	case seeking:
		return c.seek()
	case keying:
		if name, ok := strings.CutSuffix(c.read, c.Equals); ok {
			c.key(name)
		}
	case inRaw:
		c.takeText()
	case inValue:
		if c.value.ends(b, c.stops()) {
			c.json = c.value.flush(c.json)
			if c.part = following; c.After == "" {
				c.part = seeking
				return c.seek()
			}
			c.follow()
			return false
		}
		c.json = c.value.append(c.json, b)
		c.read = ""
	case following:
		c.follow()
	}
	return false
}

// seek looks for an argument where one may begin.
func (c *converter) seek() bool {
	before := c.Before
	if c.some {
		before = c.Between + before
	}
	for _, end := range c.ends {
		if strings.HasPrefix(end, c.read) && !strings.HasPrefix(before, c.read) {
			c.json = append(c.json, '}')
			return true
		}
	}
	if strings.HasPrefix(c.read, before) {
		c.part, c.read = keying, c.read[len(before):]
	}
	return false
}

// key takes the name of a parameter.
func (c *converter) key(name string) {
	if c.some {
		c.json = append(c.json, ", "...)
	}
	c.json = append(c.json, quote(name)+": "...)
	c.some, c.part, c.read = true, inValue, ""
	if c.texts[name] {
		c.part = inRaw
		c.json = append(c.json, '"')
	}
}

// takeText takes what can't belong to the end of a text any more.
func (c *converter) takeText() {
	text, ended := strings.CutSuffix(c.read, c.Raw)
	if !ended {
		text = c.read[:len(c.read)-len(ending(c.read, c.Raw))]
	}
	quoted := quote(text)
	c.json = append(c.json, quoted[1:len(quoted)-1]...)
	if c.read = c.read[len(text):]; ended {
		c.json = append(c.json, '"')
		c.part = following
		c.follow()
	}
}

// follow waits for the end of what comes after a value.
func (c *converter) follow() {
	if c.read == c.After {
		c.part, c.read = seeking, ""
	}
}

// stops returns the bytes at which a value that does not stand as it is may end.
func (c *converter) stops() string {
	if c.After != "" {
		return c.After[:1]
	}
	stops := c.Between[:min(1, len(c.Between))]
	for _, end := range c.ends {
		stops += end[:1]
	}
	return stops
}

// quote returns a text as a string of JSON. Bytes beyond ASCII stay, as they may be parts of characters.
func quote(text string) string {
	out := []byte{'"'}
	for i := range len(text) {
		switch b := text[i]; {
		case b == '"' || b == '\\':
			out = append(out, '\\', b)
		case b == '\n':
			out = append(out, '\\', 'n')
		case b == '\t':
			out = append(out, '\\', 't')
		case b < ' ':
			out = fmt.Appendf(out, `\u%04x`, b)
		default:
			out = append(out, b)
		}
	}
	return string(append(out, '"'))
}

// value follows a value of JSON, or of Python, whose words it replaces.
type value struct {
	python         bool
	depth          int // of brackets
	quoted, escape bool
	word           string // of letters, outside of Python's strings
}

var pythonWords = map[string]string{"None": "null", "True": "true", "False": "false"}

// ends reports whether a byte comes after the value.
func (v *value) ends(b byte, stops string) bool {
	return !v.quoted && v.depth == 0 && strings.IndexByte(stops, b) >= 0
}

// append appends what a byte adds to JSON.
func (v *value) append(to []byte, b byte) []byte {
	switch {
	case v.escape:
		v.escape = false
	case v.quoted:
		v.escape, v.quoted = b == '\\', b != '"'
	case v.python && ('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'):
		v.word += string([]byte{b})
		return to
	case b == '"':
		v.quoted = true
	case b == '{' || b == '[':
		v.depth++
	case b == '}' || b == ']':
		v.depth--
	}
	return append(v.flush(to), b)
}

// flush appends the word that is complete.
func (v *value) flush(to []byte) []byte {
	word := v.word
	if json, ok := pythonWords[word]; ok {
		word = json
	}
	v.word = ""
	return append(to, word...)
}
