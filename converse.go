package lever

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// Function is a Go function that a model may call.
type Function struct {
	Tool toolcall.Tool
	// Call is called with arguments that satisfy the tool's schema, and returns what the model is told. The model is told of an error, too.
	Call func(ctx context.Context, arguments json.RawMessage) (string, error)
}

// NewFunction makes a Function of a Go function. Its arguments are the fields of a struct, by their json tags; those with omitempty may be left out, and a tag
// jsonschema:"WORDS" says what a field means. The model is told the result as JSON, but a string as it is.
func NewFunction[Arguments, Result any](name, description string, f func(context.Context, Arguments) (Result, error)) (Function, error) {
	schema, err := jsonschema.For[Arguments](nil)
	if err != nil {
		return Function{}, fmt.Errorf("lever: function %s: %w", name, err)
	}
	parameters, err := json.Marshal(schema)
	if err != nil {
		return Function{}, fmt.Errorf("lever: function %s: %w", name, err)
	}
	tool := toolcall.Tool{Name: name, Description: description, Parameters: parameters, Strict: true}
	if err := toolcall.Check([]toolcall.Tool{tool}); err != nil {
		return Function{}, fmt.Errorf("lever: function: %w", err)
	}
	return Function{tool, func(ctx context.Context, raw json.RawMessage) (string, error) {
		var arguments Arguments
		if err := json.Unmarshal(raw, &arguments); err != nil {
			return "", err
		}
		result, err := f(ctx, arguments)
		if err != nil {
			return "", err
		}
		if text, ok := any(result).(string); ok {
			return text, nil
		}
		told, err := json.Marshal(result)
		return string(told), err
	}}, nil
}

// maxTurns bounds the answers of [Engine.Converse]: a model may call again and again.
const maxTurns = 16

// ErrTurns says that a model has called functions in all answers that [Engine.Converse] lets it give.
var ErrTurns = errors.New("the model calls functions without end")

// Converse answers a request as [Engine.Generate] does, calls the functions that the model asks for, one after the other, and answers again with what
// they returned, until an answer asks for none, or was cut. It returns the conversation, from the request's messages on to the last answer, and the Result of that. A ToolChoice that
// asks for a call holds for the first answer. After 16 answers with calls the error is [ErrTurns].
func (e *Engine) Converse(ctx context.Context, req Request, functions []Function, emit func(text string) error) ([]tokenizer.Message, Result, error) {
	byName := map[string]Function{}
	req.Tools, req.Calls, req.Tokens = nil, nil, nil
	for _, f := range functions {
		if f.Call == nil {
			return nil, Result{}, fmt.Errorf("lever: function %s has no Call", f.Tool.Name)
		}
		req.Tools, byName[f.Tool.Name] = append(req.Tools, f.Tool), f
	}
	if len(req.Messages) == 0 && req.Prompt != "" {
		req.Messages = []tokenizer.Message{{Role: "user", Content: req.Prompt}}
	}
	messages := req.Messages
	for range maxTurns {
		req.Messages, req.Calls = messages, nil
		result, err := e.Generate(ctx, req, emit)
		if err != nil {
			return messages, result, err
		}
		messages = append(messages[:len(messages):len(messages)], result.message())
		if len(result.ToolCalls) == 0 || result.Finish != spec.FinishStop {
			return messages, result, nil
		}
		for _, call := range result.ToolCalls {
			told, err := byName[call.Name].Call(ctx, call.Arguments)
			if ctx.Err() != nil {
				return messages, result, ctx.Err()
			}
			if err != nil {
				told = "error: " + err.Error()
			}
			messages = append(messages, tokenizer.Message{Role: "tool", Content: told, ToolCallID: call.ID, Name: call.Name})
		}
		req.ToolChoice.Required, req.ToolChoice.Name = false, ""
	}
	return messages, Result{}, fmt.Errorf("lever: %w: %d answers", ErrTurns, maxTurns)
}

// message returns the answer as a turn of the conversation.
func (r *Result) message() tokenizer.Message {
	thought, answer := r.Thought, r.Text
	if thought == "" { // nobody asked for it by itself
		t := newThinking(r.prompt)
		_ = errors.Join(t.take(answer), t.end()) // there is nobody to fail
		thought, answer = t.thought.String(), t.answer.String()
	}
	return tokenizer.Message{Role: "assistant", Content: strings.TrimSpace(answer), Reasoning: thought, ToolCalls: r.ToolCalls}
}
