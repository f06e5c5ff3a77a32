// Package mobile is a language model for an app on Android or iOS. gomobile makes an AAR or an xcframework of it, so its exported types are
// those that gomobile can bind; README.md says how.
//
//	Engine engine = Mobile.open(modelDir, draftDir, 2L << 30);        // Java; on a thread of its own: it takes seconds
//	Answer answer = engine.generate("Why is the sky blue?", 256, text -> { show(text); return true; });
package mobile

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
	"github.com/lever-go/lever/weights"
)

// TokenSink gets an answer as it comes.
type TokenSink interface {
	// OnText is called with each new piece of text, on the thread that called Generate. False ends the answer. An exception ends it too, and
	// Generate throws it.
	OnText(text string) (bool, error)
}

// ToolCaller does what the model asks for.
type ToolCaller interface {
	// CallTool is called with a tool's name and its arguments, a JSON object that satisfies the tool's schema, on the thread that called Generate. The
	// model is told what it returns, and of an exception its message.
	CallTool(name, arguments string) (string, error)
}

// Answer is what was generated and what it took.
type Answer struct {
	Text            string
	Finish          string // "stop", "length", "context" or "cancelled"
	Tokens          int
	TokensPerSecond float64
	TokensPerPass   float64 // of the large model: what the draft is good for
}

// Engine is an open model and a conversation with it. Methods may be called from any thread.
type Engine struct {
	work     sync.Mutex // held while the models are in use
	messages []tokenizer.Message
	tools    []lever.Function

	state  sync.RWMutex       // guards what follows; not held during a generation
	engine *lever.Engine      // nil once closed, or if made by Java's new instead of Open
	cancel context.CancelFunc // of the generation under way, or nil
}

var (
	errBusy   = errors.New("the engine is busy with another answer")
	errClosed = errors.New("the engine is not open")
	errSink   = errors.New("the receiver of the text wants no more")
)

// Open opens the stores of a model and of its draft, which may be "", with dramBytes of memory for the model's weights. If dramBytes is zero, all of them are in memory.
func Open(modelDir, draftDir string, dramBytes int64) (*Engine, error) {
	engine, err := lever.Open(context.Background(), lever.Config{Model: modelDir, Draft: draftDir, DRAM: dramBytes})
	if err != nil {
		return nil, err
	}
	return &Engine{engine: engine}, nil
}

// Generate answers the next message of the conversation; maxTokens 0 means until the model stops. An answer that Cancel or the sink ended is
// returned as far as it came. While another one is under way it fails.
func (e *Engine) Generate(prompt string, maxTokens int, sink TokenSink) (*Answer, error) {
	ctx, end, err := e.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	messages := append(e.messages, tokenizer.Message{Role: "user", Content: prompt})
	messages, result, err := e.engine.Converse(ctx, lever.Request{Messages: messages, MaxTokens: maxTokens}, e.tools, func(text string) error {
		if sink == nil {
			return nil
		}
		more, err := sink.OnText(text)
		if err == nil && !more {
			err = errSink
		}
		return err
	})
	if err != nil && !errors.Is(err, errSink) && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		result.Finish = spec.FinishCancelled
		messages = append(messages, tokenizer.Message{Role: "assistant", Content: strings.TrimSpace(result.Text)})
	}
	e.messages = messages
	return &Answer{
		Text: result.Text, Finish: string(result.Finish), Tokens: result.Tokens,
		TokensPerSecond: result.TokensPerSecond, TokensPerPass: result.AcceptedPerPass,
	}, nil
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

// begin takes the models for one piece of work, which ctx ends early.
func (e *Engine) begin() (ctx context.Context, end func(), err error) {
	if !e.work.TryLock() {
		return nil, nil, errBusy
	}
	e.state.Lock()
	defer e.state.Unlock()
	if e.engine == nil {
		e.work.Unlock()
		return nil, nil, errClosed
	}
	ctx, e.cancel = context.WithCancel(context.Background())
	return ctx, func() {
		e.Cancel()
		e.work.Unlock()
	}, nil
}

// Cancel ends the answer under way, within a layer of the model; without one it does nothing.
func (e *Engine) Cancel() {
	e.state.Lock()
	defer e.state.Unlock()
	if e.cancel != nil {
		e.cancel()
		e.cancel = nil
	}
}

// Levels of Android's ComponentCallbacks2.onTrimMemory.
const (
	trimRunningLow      = 10
	trimRunningCritical = 15
	trimUIHidden        = 20
	trimBackground      = 40
)

// Trim gives memory of the model's weights back to the system, also during a generation, which then becomes slower. level is what Android
// passes to onTrimMemory; 0 takes the memory again. On iOS, pass 15 at a memory warning. It does nothing for a model that Open was told to
// keep in memory.
func (e *Engine) Trim(level int) error {
	e.state.RLock()
	defer e.state.RUnlock()
	if e.engine == nil {
		return errClosed
	}
	trim := weights.TrimCritical
	switch {
	case level <= 0:
		trim = weights.TrimNone
	case level < trimRunningLow:
		trim = weights.TrimModerate
	case level < trimRunningCritical, level >= trimUIHidden && level < trimBackground:
		trim = weights.TrimLow
	}
	return e.engine.Trim(trim)
}

// Reset begins a new conversation.
func (e *Engine) Reset() error {
	_, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	e.messages = nil
	return nil
}

// SaveSession keeps the conversation in a file, with the keys and values that were computed of it: worth doing in onStop, since a system may end
// an app in the background without further notice.
func (e *Engine) SaveSession(path string) error {
	_, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	note, err := json.Marshal(e.messages)
	if err != nil {
		return err
	}
	return e.engine.SaveSession(path, note)
}

// LoadSession goes on with a conversation that SaveSession kept. One of other models, or of another version, loses its keys and values and keeps
// its text.
func (e *Engine) LoadSession(path string) error {
	_, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	note, err := e.engine.LoadSession(path)
	if err != nil && !errors.Is(err, lever.ErrSessionForeign) {
		return err
	}
	var messages []tokenizer.Message
	if err := json.Unmarshal(note, &messages); err != nil {
		return err
	}
	e.messages = messages
	return nil
}

// Close ends an answer under way and gives back all memory and files. Calls that follow fail; a second Close does nothing.
func (e *Engine) Close() error {
	e.Cancel()
	e.work.Lock()
	defer e.work.Unlock()
	e.state.Lock()
	defer e.state.Unlock()
	if e.engine == nil {
		return nil
	}
	err := e.engine.Close()
	e.engine = nil
	return err
}
