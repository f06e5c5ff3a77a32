package server

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// toolChoice says whether a request wants a tool to be called, from whichever field says so.
type toolChoice struct {
	from string // the field; empty if the model decides
	none bool
	toolcall.Choice
}

// openAI takes OpenAI's tool_choice.
func (c *toolChoice) openAI(at string, raw json.RawMessage) error {
	c.from = at
	if raw[0] == '"' {
		var mode string
		if err := text(&mode)(at, raw); err != nil {
			return err
		}
		return c.set(at, mode, "auto", "none", "required")
	}
	if raw[0] != '{' {
		return wrongKind(at, "a string or an object", raw)
	}
	var kind string
	c.Required = true
	err := object(fields{"type": text(&kind), "name": text(&c.Name), "function": object(fields{"name": text(&c.Name)})})(at, raw)
	if err == nil && (kind != "function" || c.Name == "") {
		return invalid(at, "unsupported_value", `%s must be none, auto, required, or {"type": "function", "function": {"name": NAME}}`, at)
	}
	return err
}

// set sets the choice by a word, of those that the API has for: the model decides, no call, a call.
func (c *toolChoice) set(at, word, auto, none, required string) error {
	switch word {
	case auto:
	case none:
		c.none = true
	case required:
		c.Required = true
	default:
		return invalid(at, "unsupported_value", "%s %.100q is none of %s, %s and %s", at, word, auto, none, required)
	}
	return nil
}

// apply takes tools and the choice among them over into a request.
func (c *toolChoice) apply(req *lever.Request, tools []toolcall.Tool, parallel *bool, f *format) error {
	if err := toolcall.Check(tools); err != nil {
		return invalid("tools", "", "%s", strings.TrimPrefix(err.Error(), "toolcall: "))
	}
	switch {
	case c.none:
		return nil
	case len(tools) == 0 && c.Required:
		return invalid(c.from, "", "%s asks for a call, but there are no tools", c.from)
	case len(tools) == 0:
		return nil
	case c.Name != "" && !slices.ContainsFunc(tools, func(t toolcall.Tool) bool { return t.Name == c.Name }):
		return invalid(c.from, "", "%s asks for tool %.100q, which is none of the tools", c.from, c.Name)
	case f.limits():
		return invalid(f.from, "unsupported_parameter", "%s and tools both say what the answer must look like; give one of them, or tool_choice none", f.from)
	}
	req.Tools, req.ToolChoice = tools, c.Choice
	req.ToolChoice.Single = req.ToolChoice.Single || parallel != nil && !*parallel
	return nil
}

// functionFields are those by which OpenAI's APIs describe a function.
func functionFields(t *toolcall.Tool) fields {
	return fields{"name": text(&t.Name), "description": text(&t.Description), "parameters": keep(&t.Parameters), "strict": boolean(&t.Strict)}
}

// openAITool takes a tool as OpenAI's API describes it.
func openAITool(to *[]toolcall.Tool) field {
	return func(at string, raw json.RawMessage) error {
		var kind string
		var t toolcall.Tool
		if err := object(fields{"type": text(&kind), "function": object(functionFields(&t))})(at, raw); err != nil {
			return err
		}
		if kind != "function" {
			return invalid(at+".type", "unsupported_value", "%s has type %.100q; function is supported", at, kind)
		}
		*to = append(*to, t)
		return nil
	}
}

// openAICall takes a call that the assistant made before.
func openAICall(to *[]tokenizer.ToolCall) field {
	return func(at string, raw json.RawMessage) error {
		var kind, arguments string
		var call tokenizer.ToolCall
		err := object(fields{
			"id": text(&call.ID), "type": text(&kind), "index": harmless,
			"function": object(fields{"name": text(&call.Name), "arguments": text(&arguments)}),
		})(at, raw)
		if err != nil {
			return err
		}
		if call.Arguments, err = callArguments(at+".function.arguments", arguments); err != nil {
			return err
		}
		if call.Name == "" {
			return invalid(at+".function.name", "", "%s calls nothing by name", at)
		}
		*to = append(*to, call)
		return nil
	}
}

// callArguments returns the arguments of a call that was made before, which are an object.
func callArguments(at, written string) (json.RawMessage, error) {
	written = strings.TrimSpace(written)
	if written == "" {
		written = "{}"
	}
	if !json.Valid([]byte(written)) || written[0] != '{' {
		return nil, invalid(at, "", "%s is not a JSON object as a string", at)
	}
	return json.RawMessage(written), nil
}

// toolset is the tools of a request and the choice among them.
type toolset struct {
	Tools  []toolcall.Tool
	Choice toolcall.Choice
}

// toolGrammar returns the grammar of the calls that an answer may have, nil for none.
func (s *Server) toolGrammar(ctx context.Context, req *lever.Request) (*toolcall.Grammar, error) {
	if len(req.Tools) == 0 {
		return nil, nil
	}
	what, err := json.Marshal(toolset{req.Tools, req.ToolChoice})
	if err != nil {
		return nil, err
	}
	g, err := s.tools.get(ctx, what)
	var busy *apiError
	if err != nil && ctx.Err() == nil && !errors.As(err, &busy) {
		return nil, invalid("tools", "unsupported_value", "tools: %s", strings.TrimPrefix(plain(err), "toolcall: "))
	}
	return g, err
}

// compileTools makes the grammar of a toolset, in the turn of what takes long.
func (s *Server) compileTools(ctx context.Context, what []byte) (g *toolcall.Grammar, err error) {
	var t toolset
	if err := json.Unmarshal(what, &t); err != nil {
		return nil, err
	}
	if busy := s.inTurn(ctx, len(what), func(ctx context.Context) { g, err = s.options.Engine.ToolGrammar(ctx, t.Tools, t.Choice) }); busy != nil {
		return nil, busy
	}
	return g, err
}
