package lever_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
)

// What a model thinks is told apart from its answer, also where the chat template begins the thought.
func TestThought(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for begin, thinks := range map[string]bool{"": false, "<think>\n": true} {
		template := "{% for m in messages %}{{ m.content }}{% endfor %}\n" + begin
		engine, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, Draft: pair.Draft, ChatTemplate: template})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		req := lever.Request{Prompt: "Tom has 3 apples.", MaxTokens: 12}
		messages, plain, err := engine.Converse(t.Context(), req, nil, nil)
		if err != nil || plain.Thought != "" || plain.Text == "" {
			t.Fatalf("%v, %+v", err, plain)
		}
		var thought, answer strings.Builder
		req.Thought = func(text string) error { thought.WriteString(text); return nil }
		got, err := engine.Generate(t.Context(), req, func(text string) error { answer.WriteString(text); return nil })
		if err != nil || got.Thought != thought.String() || got.Text != answer.String() {
			t.Errorf("%v: %q, %q, in pieces %q, %q", err, got.Thought, got.Text, thought.String(), answer.String())
		}
		want := strings.TrimLeft(plain.Text, "\n")
		refused := errors.New("refused")
		req.Thought = func(string) error { return refused }
		some, err := engine.Generate(t.Context(), req, func(string) error { return refused })
		if !errors.Is(err, refused) || !strings.HasPrefix(got.Thought, some.Thought) || !strings.HasPrefix(got.Text, some.Text) || some.Thought+some.Text == "" {
			t.Errorf("after %q, refused: %v: thought %q, answer %q", begin, err, some.Thought, some.Text)
		}
		if last := messages[1]; thinks && (got.Text != "" || got.Thought != want || last.Reasoning != want || last.Content != "") || !thinks && (got.Thought != "" || got.Text != plain.Text || last.Reasoning != "") {
			t.Errorf("after %q: thought %q, answer %q, turn %+v; all of it is %q", begin, got.Thought, got.Text, last, plain.Text)
		}
	}
}
