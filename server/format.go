package server

import (
	"encoding/json"
)

// format is what an answer must look like, from whichever field says so.
type format struct {
	from   string          // the field; if empty, any text will do
	object bool            // any JSON object
	values json.RawMessage // what a JSON Schema allows, unless object is set
}

// limits reports whether not just any text will do.
func (f *format) limits() bool { return f.from != "" }

// set notes what the answer must look like, once.
func (f *format) set(at string, schema json.RawMessage) error {
	if f.limits() {
		return invalid(at, "", "%s and %s both say what the answer must look like; give one of them", f.from, at)
	}
	if schema != nil && schema[0] != '{' && schema[0] != 't' && schema[0] != 'f' {
		return wrongKind(at, "an object", schema)
	}
	f.from, f.object, f.values = at, schema == nil, schema
	return nil
}

// schema takes a JSON Schema from a field of its own.
func (f *format) schema(at string, raw json.RawMessage) error { return f.set(at, raw) }

// take takes OpenAI's response_format, in which llama.cpp and others put a schema beside the type.
func (f *format) take(at string, raw json.RawMessage) error {
	var kind string
	var inner, beside json.RawMessage
	err := object(fields{
		"type":   text(&kind),
		"schema": keep(&beside),
		"json_schema": object(fields{
			"name": harmless, "description": harmless, "strict": harmless, "schema": keep(&inner),
		}),
	})(at, raw)
	if err != nil {
		return err
	}
	if inner != nil && beside != nil {
		return invalid(at+".schema", "", "%s has two schemas", at)
	}
	switch kind {
	case "text", "":
		if inner != nil || beside != nil {
			return invalid(at+".type", "", "%s has a schema, but its type is not json_schema", at)
		}
		return nil
	case "json_object":
		if inner != nil {
			return invalid(at+".json_schema", "", "%s has type json_object and a json_schema; its type should be json_schema", at)
		}
		return f.set(at, beside)
	case "json_schema":
		if inner == nil {
			inner = beside
		}
		if inner == nil {
			return invalid(at, "", "%s has type json_schema, but no json_schema.schema", at)
		}
		return f.set(at, inner)
	}
	return invalid(at+".type", "unsupported_value", "%s.type %q is none of text, json_object and json_schema", at, kind)
}
