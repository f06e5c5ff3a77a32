package server

import (
	"bytes"
	"encoding/json"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// fields says what becomes of each field of a JSON object. What is not among them is refused.
type fields map[string]field

// field takes a value, which is valid JSON and not null. at is its place in the request, for errors.
type field func(at string, raw json.RawMessage) error

// decode reads a request's body, one JSON object.
func (f fields) decode(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return invalid("", "", "the request has no body; it must be a JSON object")
	}
	if !json.Valid(body) {
		return invalid("", "", "the request is not valid JSON: %v", json.Unmarshal(body, new(any)))
	}
	return object(f)("", bytes.TrimSpace(body))
}

// object takes an object. A field that is null is as if it were absent.
func object(f fields) field {
	return func(at string, raw json.RawMessage) error {
		if raw[0] != '{' {
			return wrongKind(at, "an object", raw)
		}
		seen := map[string]bool{}
		return each(raw, func(name string, _ int, value json.RawMessage) error {
			place := name
			if at != "" {
				place = at + "." + name
			}
			take, ok := f[name]
			twice := seen[name]
			seen[name] = true
			switch {
			case twice:
				return invalid(place, "", "%s is there twice", place)
			case string(value) == "null":
				return nil
			case !ok:
				return unsupported(place)
			}
			return take(place, value)
		})
	}
}

// typeOf returns the type of an object, by which its other fields are known; ok is false if it is no object or has a type that is no text.
func typeOf(raw json.RawMessage) (kind string, ok bool) {
	var typed struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(raw, &typed)
	return typed.Type, err == nil
}

// elements takes a list whose elements f takes.
func elements(f field) field {
	return func(at string, raw json.RawMessage) error {
		if raw[0] != '[' {
			return wrongKind(at, "a list", raw)
		}
		return each(raw, func(_ string, i int, value json.RawMessage) error {
			return f(at+"["+strconv.Itoa(i)+"]", value)
		})
	}
}

// each calls f with the members of an object, or with the elements of a list.
func each(raw json.RawMessage, f func(name string, i int, value json.RawMessage) error) error {
	read := 0 // bytes since other goroutines were let go first
	for i, rest := 0, following(raw[1:]); len(rest) > 1; i++ {
		var name string
		if raw[0] == '{' {
			n := length(rest)
			if err := json.Unmarshal(rest[:n], &name); err != nil {
				return err
			}
			rest = following(rest[n:])
		}
		n := length(rest)
		if err := f(name, i, rest[:n:n]); err != nil {
			return err
		}
		rest = following(rest[n:])
		if read += n; read > yieldBytes {
			read = 0
			runtime.Gosched()
		}
	}
	return nil
}

// yieldBytes are read in some tenths of a millisecond.
const yieldBytes = 1 << 14

// following returns valid JSON from the next value or bracket on.
func following(rest json.RawMessage) json.RawMessage {
	return bytes.TrimLeft(rest, " \t\r\n,:")
}

// length returns the bytes of the value with which valid JSON begins.
func length(rest json.RawMessage) int {
	depth := 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			for i++; rest[i] != '"'; i++ {
				if rest[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
			continue
		case ']', '}':
			depth--
		default:
			if depth > 0 || i+1 < len(rest) && strings.IndexByte(",]} \t\r\n", rest[i+1]) < 0 {
				continue
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(rest)
}

func text(to *string) field {
	return func(at string, raw json.RawMessage) error {
		if raw[0] != '"' {
			return wrongKind(at, "a string", raw)
		}
		return json.Unmarshal(raw, to)
	}
}

func boolean(to *bool) field {
	return func(at string, raw json.RawMessage) error {
		if raw[0] != 't' && raw[0] != 'f' {
			return wrongKind(at, "true or false", raw)
		}
		*to = raw[0] == 't'
		return nil
	}
}

// setBoolean takes a boolean that may be absent.
func setBoolean(to **bool) field {
	*to = nil
	return func(at string, raw json.RawMessage) error {
		*to = new(bool)
		return boolean(*to)(at, raw)
	}
}

// number takes a number within bounds, which may be absent.
func number(to **float64, least, most float64) field {
	return func(at string, raw json.RawMessage) error {
		value, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || value < least || value > most {
			return invalid(at, "", "%s must be a number from %v to %v, not %s", at, least, most, numberOrKind(raw))
		}
		*to = &value
		return nil
	}
}

// integer takes a whole number within bounds, which may be absent, and may be written with a point or an exponent.
func integer(to **int64, least, most int64) field {
	return func(at string, raw json.RawMessage) error {
		value, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			const exact = 1 << 53
			var float float64
			if float, err = strconv.ParseFloat(string(raw), 64); float != math.Trunc(float) || math.Abs(float) > exact {
				err = strconv.ErrRange
			}
			value = int64(float)
		}
		if err != nil || value < least || value > most {
			return invalid(at, "", "%s must be an integer from %d to %d, not %s", at, least, most, numberOrKind(raw))
		}
		*to = &value
		return nil
	}
}

// tokenID takes the id of one of so many tokens.
func tokenID(to *[]int32, tokens int) field {
	return func(at string, raw json.RawMessage) error {
		var id *int64
		err := integer(&id, 0, int64(tokens)-1)(at, raw)
		if err == nil {
			*to = append(*to, int32(*id))
		}
		return err
	}
}

// numberOrKind returns a number as it is written, if it is short, and of another value what it is.
func numberOrKind(raw json.RawMessage) string {
	if kind := kindOf(raw); kind != "a number" || len(raw) > 24 {
		return kind
	}
	return string(raw)
}

// texts takes a string, or a list of strings.
func texts(to *[]string) field {
	return func(at string, raw json.RawMessage) error {
		one := func(at string, raw json.RawMessage) error {
			var s string
			if err := text(&s)(at, raw); err != nil {
				return err
			}
			*to = append(*to, s)
			return nil
		}
		*to = []string{}
		switch raw[0] {
		case '"':
			return one(at, raw)
		case '[':
			return elements(one)(at, raw)
		}
		return wrongKind(at, "a string or a list of strings", raw)
	}
}

// keep takes any value as it is.
func keep(to *json.RawMessage) field {
	return func(_ string, raw json.RawMessage) error {
		*to = raw
		return nil
	}
}

// harmless takes any value: the field has no influence on the text.
func harmless(string, json.RawMessage) error { return nil }

// only takes the given values, which ask for nothing, and refuses all others.
func only(values ...string) field {
	return func(at string, raw json.RawMessage) error {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return err
		}
		got := compact.String()
		if slices.ContainsFunc(values, func(value string) bool { return got == value || sameNumber(got, value) }) {
			return nil
		}
		return unsupported(at)
	}
}

func sameNumber(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	y, otherErr := strconv.ParseFloat(b, 64)
	return err == nil && otherErr == nil && x == y
}

// kindOf returns what a JSON value is.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// wrongKind says that a field, or the request as a whole, is of another kind than it must be.
func wrongKind(at, want string, raw json.RawMessage) error {
	what := at
	if at == "" {
		what = "the request"
	}
	return invalid(at, "", "%s must be %s, not %s", what, want, kindOf(raw))
}
