package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// defaultTemplate is the name of the template that serves where no special one is asked for.
const defaultTemplate = "default"

// namedTemplate is the source of a Jinja template.
type namedTemplate struct{ name, source string }

// WithTemplate returns a tokenizer that differs in its chat template, which is a Jinja template. The token that it writes after an assistant's words ends
// a text too.
func (t *Tokenizer) WithTemplate(source string) *Tokenizer {
	other := *t
	other.templates, other.eos = []namedTemplate{{defaultTemplate, source}}, slices.Clone(t.eos)
	other.addEndOfTurn()
	return &other
}

// setTemplate adds a template or replaces the one of the same name.
func (t *Tokenizer) setTemplate(name, source string) {
	for i := range t.templates {
		if t.templates[i].name == name {
			t.templates[i].source = source
			return
		}
	}
	t.templates = append(t.templates, namedTemplate{name, source})
}

// applyTemplateFile takes over the content of chat_template.jinja.
func (t *Tokenizer) applyTemplateFile(data []byte) error {
	t.setTemplate(defaultTemplate, string(data))
	return nil
}

// applyTemplateField takes over "chat_template" of tokenizer_config.json: a template, or a list of named ones.
func (t *Tokenizer) applyTemplateField(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	list := []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}{{Name: defaultTemplate}}
	var err error
	if raw[0] == '[' {
		err = json.Unmarshal(raw, &list)
	} else {
		err = json.Unmarshal(raw, &list[0].Template)
	}
	if err != nil {
		return fmt.Errorf("chat_template: %w", jsonError(err))
	}
	for _, entry := range list {
		t.setTemplate(entry.Name, entry.Template)
	}
	return nil
}

// template returns the source of the template for a conversation, the one for tools if there is one and they are in it.
func (t *Tokenizer) template(tools bool) (source string, ok bool) {
	for _, entry := range t.templates {
		if tools && entry.name == "tool_use" {
			return entry.source, true
		}
		if entry.name == defaultTemplate {
			source, ok = entry.source, true
		}
	}
	return source, ok
}
