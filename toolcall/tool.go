package toolcall

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrUnsupported is wrapped by errors about a model whose chat template knows no calls, or writes them in a way that this package does not know.
var ErrUnsupported = errors.New("unsupported")

// Tool is a function that a model may call.
type Tool struct {
	Name        string // up to 64 letters, digits, _, - and .
	Description string
	// Parameters is the JSON Schema of the arguments, which are an object. If it is empty, there are no arguments.
	Parameters json.RawMessage
	// Strict refuses Parameters that can't be enforced. Otherwise the arguments of such a tool may be any object.
	Strict bool
}

// Choice says whether and what a model calls. The zero value leaves it to the model.
type Choice struct {
	Required bool   // the answer is a call
	Name     string // of the only tool that may be called, if not empty
	Single   bool   // at most one call
}

const (
	maxName   = 64
	nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
)

// JSON returns the tool as chat templates expect it.
func (t Tool) JSON() json.RawMessage {
	function := struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters"`
	}{t.Name, t.Description, t.schema()}
	raw, err := json.Marshal(map[string]any{"type": "function", "function": function})
	if err != nil {
		return json.RawMessage(`{}`) // of a tool that Check refuses
	}
	return raw
}

// schema returns the schema of the arguments.
func (t Tool) schema() json.RawMessage {
	if len(t.Parameters) == 0 || string(t.Parameters) == "null" {
		return json.RawMessage(`{"type": "object", "properties": {}}`)
	}
	return t.Parameters
}

// Check tells what is wrong with some tools.
func Check(tools []Tool) error {
	seen := map[string]bool{}
	for i, t := range tools {
		switch {
		case t.Name == "" || len(t.Name) > maxName || strings.Trim(t.Name, nameBytes) != "":
			return fmt.Errorf("toolcall: tool %d: name %.100q is not 1 to %d letters, digits and characters of \"_-.\"", i, t.Name, maxName)
		case seen[t.Name]:
			return fmt.Errorf("toolcall: tool %d: there is another one of the name %s", i, t.Name)
		}
		seen[t.Name] = true
		if _, err := t.object(); err != nil {
			return fmt.Errorf("toolcall: tool %s: %w", t.Name, err)
		}
	}
	return nil
}

// object returns the schema of the arguments, which says that they are an object.
func (t Tool) object() (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(t.schema(), &members); err != nil {
		return nil, errors.New("the schema of the parameters is not a JSON object")
	}
	kind, ok := members["type"]
	if ok && string(kind) != `"object"` {
		return nil, fmt.Errorf("the parameters have type %.100s, not \"object\"", kind)
	}
	if ok {
		return t.schema(), nil
	}
	// The order of the members of what is within stays.
	inner := strings.TrimSpace(string(t.schema()))[1:]
	if strings.TrimSpace(inner) == "}" {
		return json.RawMessage(`{"type": "object"}`), nil
	}
	return json.RawMessage(`{"type": "object", ` + inner), nil
}
