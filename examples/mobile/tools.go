package mobile

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/toolcall"
)

// ToolCaller does what the model asks for.
type ToolCaller interface {
	// CallTool is called with a tool's name and its arguments, a JSON object that satisfies the tool's schema, on the thread that called Generate. The
	// model is told what it returns, and of an exception its message.
	CallTool(name, arguments string) (string, error)
}

// SetTools says which functions the model may call while it answers, as a JSON list in the form of OpenAI's API; an empty list, or "", is none. It fails with a
// model whose chat template knows no calls.
func (e *Engine) SetTools(list string, caller ToolCaller) error {
	ctx, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	var described []struct {
		Function struct {
			Name, Description string
			Parameters        json.RawMessage
			Strict            bool
		}
	}
	if list != "" {
		if err := json.Unmarshal([]byte(list), &described); err != nil {
			return err
		}
	}
	var functions []lever.Function
	var tools []toolcall.Tool
	for _, d := range described {
		tool := toolcall.Tool{Name: d.Function.Name, Description: d.Function.Description, Parameters: d.Function.Parameters, Strict: d.Function.Strict}
		tools = append(tools, tool)
		functions = append(functions, lever.Function{Tool: tool, Call: func(_ context.Context, arguments json.RawMessage) (string, error) {
			return caller.CallTool(tool.Name, string(arguments))
		}})
	}
	if len(tools) > 0 && caller == nil {
		return errors.New("there are tools, but nothing that calls them")
	}
	if len(tools) > 0 {
		if _, err := e.engine.ToolGrammar(ctx, tools, toolcall.Choice{}); err != nil {
			return err
		}
	}
	e.tools = functions
	return nil
}
