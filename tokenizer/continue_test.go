package tokenizer

import (
	"errors"
	"strings"
	"testing"
)

// A prompt to be continued ends within the last message, to the letter, whatever a template does with white space; a message that can't be continued is
// refused.
func TestContinue(t *testing.T) {
	const trims = `{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}[end]{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}`
	base := tiny(t)
	for _, content := range []string{"", "Well", " Well, ", "a [end] b\n\n", "<|eot_id|> x"} {
		for name, tok := range map[string]*Tokenizer{"own": base.WithTemplate(trims), "builtin": tiny(t)} {
			conversation := []Message{{Role: "user", Content: "Why?"}, {Role: "assistant", Content: content}}
			got, err := tok.Chat(t.Context(), conversation, ChatOptions{Continue: true, AddGenerationPrompt: true})
			if err != nil || !strings.HasSuffix(got.Text, strings.TrimLeft(content, " \n")) || strings.Contains(got.Text, lastEnd) || !strings.Contains(got.Text, "Why?") {
				t.Errorf("%s: %v: %q does not end with %q", name, err, got.Text, content)
			}
			ids, err := tok.EncodePrompt(t.Context(), got)
			if err != nil || tok.Decode(ids) != got.Text {
				t.Errorf("%s: %v: tokens spell %q, not %q", name, err, tok.Decode(ids), got.Text)
			}
		}
	}
	for _, last := range []Message{{Role: "user", Content: "Why?"}, {Role: "assistant", ToolCalls: []ToolCall{{Name: "f"}}}} {
		if _, err := base.WithTemplate(trims).Chat(t.Context(), []Message{last}, ChatOptions{Continue: true}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%+v: %v", last, err)
		}
	}
	got, err := base.WithTemplate(`{{ messages[0].role }}`).Chat(t.Context(), []Message{{Role: "assistant", Content: "a"}}, ChatOptions{Continue: true})
	if err != nil || !errors.Is(got.Fallback, ErrUnsupported) {
		t.Errorf("a template that does not write the message: %v, %v", err, got.Fallback)
	}
}
