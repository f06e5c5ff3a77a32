package mobile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/toolcall"
)

const question = "Tom has 3 apples and buys 4 more. How many apples does he have?"

// sink hands text to a function.
type sink func(text string) bool

func (s sink) OnText(text string) (bool, error)    { return s(text), nil }
func (s sink) OnThought(text string) (bool, error) { return s("[" + text + "]"), nil }

// thrower is a sink whose Java or Swift code throws.
type thrower struct{ err error }

func (t thrower) OnText(string) (bool, error)    { return true, t.err }
func (t thrower) OnThought(string) (bool, error) { return true, t.err }

// listener hands progress to a function.
type listener func(task string, done, total int64)

func (l listener) OnProgress(task string, done, total int64) { l(task, done, total) }

func tokens(n int) *Options { return &Options{MaxTokens: n} }

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
	answer, err := e.Generate(question, tokens(24), sink(func(piece string) bool { text += piece; return true }))
	if err != nil || answer.Text != text || answer.Tokens != 24 || answer.Finish != "length" || answer.TokensPerPass <= 1 {
		t.Fatalf("%+v, %v; heard %q", answer, err, text)
	}
	if err := e.Reset(); err != nil {
		t.Fatal(err)
	}
	// Memory pressure in the middle changes nothing but the speed.
	under, err := e.Generate(question, tokens(24), sink(func(string) bool {
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
	if _, err := e.Generate(question, nil, thrower{thrown}); !errors.Is(err, thrown) {
		t.Errorf("an exception of the receiver becomes %v", err)
	}
	answer, err := e.Generate(question, nil, sink(func(string) bool { return false }))
	if err != nil || answer.Finish != "cancelled" || answer.Text == "" {
		t.Errorf("ended by the sink: %+v, %v", answer, err)
	}
	answer, err = e.Generate(question, nil, sink(func(string) bool {
		if _, err := e.Generate(question, tokens(1), nil); !errors.Is(err, errBusy) {
			t.Errorf("a second answer meanwhile: %v", err)
		}
		e.Cancel()
		return true
	}))
	if err != nil || answer.Finish != "cancelled" {
		t.Errorf("cancelled: %+v, %v", answer, err)
	}
	// What follows a cancelled answer waits for its end.
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		e.Generate(question, nil, sink(func(string) bool {
			select {
			case <-begun:
			default:
				close(begun)
			}
			return true
		}))
	}()
	<-begun
	e.Cancel()
	if answer, err := e.Generate(question, tokens(2), nil); err != nil || answer.Tokens != 2 {
		t.Errorf("after a cancelled answer: %+v, %v", answer, err)
	}
	<-done

	// Close ends an answer, too, from another thread.
	begun, done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		first := true
		e.Generate(question, nil, sink(func(string) bool {
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
	if _, err := e.Generate(question, tokens(1), nil); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := e.Trim(15); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Open tells how far it has come, can be cancelled, and fails with an error whose kind says what to do.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	pair, err := demo.Unpack(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	progress := listener(func(task string, done, total int64) {
		if done < 0 || done > total {
			t.Errorf("%s: %d of %d", task, done, total)
		}
		told = append(told, task)
	})
	e, err := NewOpener(pair.Target, pair.Draft).Open(progress)
	if err != nil || len(told) == 0 {
		t.Fatalf("%v, told %q", err, told)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	chunks, err := filepath.Glob(filepath.Join(pair.Target, "chunks", "*"))
	if err != nil || len(chunks) == 0 {
		t.Fatal(chunks, err)
	}
	fails := func(what, kind string, o *Opener) {
		t.Helper()
		e, err := o.Open(nil)
		if err == nil {
			e.Close()
		}
		if KindOf(err) != kind {
			t.Errorf("%s: kind %q of %v, want %q", what, KindOf(err), err, kind)
		}
	}
	cancelled := NewOpener(pair.Target, pair.Draft)
	cancelled.Cancel()
	fails("cancelled", KindCancelled, cancelled)
	small := NewOpener(pair.Target, "")
	small.MemoryBytes = 1 << 10
	fails("too little memory", KindMemory, small)
	fails("nothing there", KindNotFound, NewOpener(filepath.Join(dir, "nothing"), ""))
	fails("made by new", KindClosed, new(Opener))
	if err := os.Truncate(chunks[0], 100); err != nil {
		t.Fatal(err)
	}
	fails("cut", KindDamaged, NewOpener(pair.Target, ""))
	if KindOf(nil) != "" || KindOf(errors.New("?")) != KindOther || KindOf(errBusy) != KindBusy {
		t.Error("kinds of errors")
	}
}

// Options hold for an answer, a system prompt for a conversation.
func TestOptions(t *testing.T) {
	e := open(t)
	plain, err := e.Generate(question, tokens(12), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := tokens(12)
	o.AddStop(strings.Fields(plain.Text)[2])
	for what, c := range map[string]struct {
		options *Options
		system  string
		holds   func(a *Answer) bool
	}{
		"a stop string": {o, "", func(a *Answer) bool {
			return a.Finish == "stop" && strings.HasPrefix(plain.Text, a.Text) && a.Text != plain.Text
		}},
		"a system prompt": {tokens(12), "You count pears.", func(a *Answer) bool { return a.PromptTokens > plain.PromptTokens }},
		"sampling":        {&Options{MaxTokens: 12, Temperature: 2, Seed: 3}, "", func(a *Answer) bool { return a.Text != plain.Text }},
		"JSON":            {&Options{MaxTokens: 60, JSON: true}, "", func(a *Answer) bool { return strings.HasPrefix(strings.TrimSpace(a.Text), "{") }},
		"a schema":        {&Options{JSONSchema: `{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}`}, "", func(a *Answer) bool { return json.Unmarshal([]byte(a.Text), &struct{ A bool }{}) == nil }},
	} {
		if err := e.SetSystem(c.system); err != nil {
			t.Fatal(err)
		}
		if a, err := e.Generate(question, c.options, nil); err != nil || !c.holds(a) {
			t.Errorf("%s: %+v, %v; without it %q", what, a, err, plain.Text)
		}
	}
	if _, err := e.Generate(question, &Options{JSONSchema: "{"}, nil); err == nil {
		t.Error("a schema that is none was taken")
	}
	if _, err := e.Generate(question, &Options{Temperature: -1}, nil); err == nil {
		t.Error("a temperature below 0 was taken")
	}
}

// While an answer is made it is counted, its memory resized, and its work paused.
func TestWhileItRuns(t *testing.T) {
	e := open(t)
	var before Statistics
	paused := false
	answer, err := e.Generate(question, tokens(40), sink(func(string) bool {
		s := e.Statistics()
		if s.Tokens < before.Tokens || s.PromptDone != s.PromptTokens || s.PromptTokens == 0 || s.WeightBytes == 0 {
			t.Errorf("%+v after %+v", s, before)
		}
		before = *s
		if err := errors.Join(e.Resize(6<<20), e.SetLoad(90)); err != nil {
			t.Error(err)
		}
		if !paused && s.Passes > 2 {
			paused = true
			if err := e.SetLoad(0); err != nil {
				t.Error(err)
			}
			go func() {
				passes := e.Statistics().Passes
				time.Sleep(30 * time.Millisecond)
				if now := e.Statistics().Passes; now > passes+1 {
					t.Errorf("%d passes were made in a pause", now-passes)
				}
				e.SetLoad(100)
			}()
		}
		return true
	}))
	s := e.Statistics()
	if err != nil || !paused || s.Tokens != answer.Tokens || s.TokensPerPass <= 1 || s.TokensPerSecond <= 0 || s.BytesRead == 0 {
		t.Errorf("%+v, %v; %+v", answer, err, s)
	}
	for _, wrong := range []int{-1, 101} {
		if e.SetLoad(wrong) == nil {
			t.Errorf("a load of %d was taken", wrong)
		}
	}
	// A paused answer can be cancelled.
	answer, err = e.Generate(question, nil, sink(func(string) bool {
		e.SetLoad(0)
		time.AfterFunc(10*time.Millisecond, e.Cancel)
		return true
	}))
	if err != nil || answer.Finish != "cancelled" {
		t.Errorf("%+v, %v", answer, err)
	}
	e.SetLoad(100)
	if err := e.Resize(1); KindOf(err) != KindMemory {
		t.Errorf("resized to nothing: %v", err)
	}
}

func TestSession(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.session")
	e := open(t)
	if _, err := e.Generate(question, tokens(12), nil); err != nil {
		t.Fatal(err)
	}
	if err := e.SaveSession(file); err != nil {
		t.Fatal(err)
	}
	want, err := e.Generate("And pears?", tokens(12), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.LoadSession(file); err != nil { // back to after the first answer
		t.Fatal(err)
	}
	if got, err := e.Generate("And pears?", tokens(12), nil); err != nil || got.Text != want.Text {
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
	const tools = `[{"type": "function", "function": {"name": "get_time", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}, "additionalProperties": false}}}]`
	var called []string
	noon := caller(func(name, arguments string) (string, error) {
		called = append(called, name+arguments)
		return "", errors.New("no clock")
	})
	e := open(t)
	if err := e.SetTools(tools, noon); !errors.Is(err, toolcall.ErrUnsupported) {
		t.Errorf("a model that knows no calls: %v", err)
	}
	if _, err := e.Generate(question, &Options{MustCall: true}, nil); err == nil {
		t.Error("without tools an answer must be a call, and none is")
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := NewOpener(pair.Target, pair.Draft)
	o.ChatTemplate = `{{ tools | tojson }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{{ m.content }}{% if m.tool_calls %}<tool_call>{"name": "{{ m.tool_calls[0].function.name }}", "arguments": {{ m.tool_calls[0].function.arguments | tojson }}}</tool_call>{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`
	if e, err = o.Open(nil); err != nil {
		t.Fatal(err)
	}
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
	answer, err := e.Generate(question, &Options{MaxTokens: 40, MustCall: true}, nil)
	if err != nil || len(called) == 0 || called[0] != "get_time{}" || len(e.messages) < 4 || e.messages[2].Content != "error: no clock" {
		t.Errorf("%+v, %v; called are %q, the conversation is %+v", answer, err, called, e.messages)
	}
	if err := e.SetTools("", nil); err != nil || len(e.tools) != 0 {
		t.Errorf("%v, %d tools are left", err, len(e.tools))
	}
}
