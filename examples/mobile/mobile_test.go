package mobile

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/toolcall"
)

const question = "Tom has 3 apples and buys 4 more. How many apples does he have?"

// sink hands text to a function.
type sink func(text string) bool

func (s sink) OnText(text string) (bool, error) { return s(text), nil }

// thrower is a sink whose Java or Swift code throws.
type thrower struct{ err error }

func (t thrower) OnText(string) (bool, error) { return true, t.err }

func open(t *testing.T) *Engine {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(pair.Target, pair.Draft, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestGenerate(t *testing.T) {
	e := open(t)
	text := ""
	answer, err := e.Generate(question, 24, sink(func(piece string) bool { text += piece; return true }))
	if err != nil || answer.Text != text || answer.Tokens != 24 || answer.Finish != "length" || answer.TokensPerPass <= 1 {
		t.Fatalf("%+v, %v; heard %q", answer, err, text)
	}
	if err := e.Reset(); err != nil {
		t.Fatal(err)
	}
	// Memory pressure in the middle changes nothing but the speed.
	under, err := e.Generate(question, 24, sink(func(string) bool {
		for _, level := range []int{5, 10, 15, 20, 80, 0} {
			if err := e.Trim(level); err != nil {
				t.Error(err)
			}
		}
		return true
	}))
	if err != nil || under.Text != text {
		t.Errorf("under memory pressure: %+v, %v", under, err)
	}
}

func TestEndsEarly(t *testing.T) {
	e := open(t)
	thrown := errors.New("thrown")
	if _, err := e.Generate(question, 0, thrower{thrown}); !errors.Is(err, thrown) {
		t.Errorf("an exception of the receiver becomes %v", err)
	}
	answer, err := e.Generate(question, 0, sink(func(string) bool { return false }))
	if err != nil || answer.Finish != "cancelled" || answer.Text == "" {
		t.Errorf("ended by the sink: %+v, %v", answer, err)
	}
	answer, err = e.Generate(question, 0, sink(func(string) bool {
		if _, err := e.Generate(question, 1, nil); !errors.Is(err, errBusy) {
			t.Errorf("a second answer meanwhile: %v", err)
		}
		e.Cancel()
		return true
	}))
	if err != nil || answer.Finish != "cancelled" {
		t.Errorf("cancelled: %+v, %v", answer, err)
	}

	// Close ends an answer, too, from another thread.
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		first := true
		e.Generate(question, 0, sink(func(string) bool {
			if first {
				close(begun)
			}
			first = false
			return true
		}))
	}()
	<-begun
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the answer goes on after Close")
	}
	if _, err := e.Generate(question, 1, nil); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := e.Trim(15); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestSession(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.session")
	e := open(t)
	if _, err := e.Generate(question, 12, nil); err != nil {
		t.Fatal(err)
	}
	if err := e.SaveSession(file); err != nil {
		t.Fatal(err)
	}
	want, err := e.Generate("And pears?", 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.LoadSession(file); err != nil { // back to after the first answer
		t.Fatal(err)
	}
	if got, err := e.Generate("And pears?", 12, nil); err != nil || got.Text != want.Text {
		t.Errorf("it goes on with %+v, %v, not with %q", got, err, want.Text)
	}
	if err := e.LoadSession(file + ".absent"); err == nil {
		t.Error("a file that is absent was loaded")
	}
}

// caller hands calls to a function.
type caller func(name, arguments string) (string, error)

func (c caller) CallTool(name, arguments string) (string, error) { return c(name, arguments) }

func TestTools(t *testing.T) {
	const tools = `[{"type": "function", "function": {"name": "get_time", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}}}]`
	noon := caller(func(name, arguments string) (string, error) { return name + arguments, nil })
	e := open(t)
	if err := e.SetTools(tools, noon); !errors.Is(err, toolcall.ErrUnsupported) {
		t.Errorf("a model that knows no calls: %v", err)
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	engine, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, Draft: pair.Draft, ChatTemplate: `{{ tools | tojson }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{{ m.content }}{% for c in m.tool_calls %}<tool_call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</tool_call>{% endfor %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`})
	if err != nil {
		t.Fatal(err)
	}
	e = &Engine{engine: engine}
	t.Cleanup(func() { e.Close() })
	for _, wrong := range []string{"{", `[{"function": {"name": "a b"}}]`} {
		if err := e.SetTools(wrong, noon); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
	if err := e.SetTools(tools, nil); err == nil {
		t.Error("tools without a caller were taken")
	}
	if err := e.SetTools(tools, noon); err != nil {
		t.Fatal(err)
	}
	if told, err := e.tools[0].Call(t.Context(), []byte("{}")); err != nil || told != "get_time{}" {
		t.Errorf("%q, %v", told, err)
	}
	if answer, err := e.Generate(question, 12, nil); err != nil || answer.Tokens != 12 {
		t.Errorf("%+v, %v", answer, err)
	}
	if err := e.SetTools("", nil); err != nil || len(e.tools) != 0 {
		t.Errorf("%v, %d tools are left", err, len(e.tools))
	}
}
