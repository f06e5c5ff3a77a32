package thinking

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		text, reasoning, content string
		begun                    bool
	}{
		{text: "Four.", content: "Four."},
		{text: "<think>\n2 + 2.\n</think>\n\nFour.", reasoning: "2 + 2.", content: "Four."},
		{text: "\n<think>a\nb</think>Four.", reasoning: "a\nb", content: "Four."},
		{text: "2 + 2.\n</think>\n\nFour.", reasoning: "2 + 2.", content: "Four.", begun: true},
		{text: "<think>\n\n</think>\n\nFour.\n", content: "Four.\n"},
		{text: "<think>I do not", reasoning: "I do not"},
		{text: "<think>a </thin b", reasoning: "a </thin b"},
		{text: "<thing> b", content: "<thing> b"},
		{text: "<thi", content: "<thi"},
		{text: "a <think>b</think>", content: "a <think>b</think>"},
		{text: ""},
	} {
		rapid.Check(t, func(t *rapid.T) {
			s := NewSplitter(c.begun)
			var reasoning, content string
			add := func(r, c string) { reasoning, content = reasoning+r, content+c }
			for rest := c.text; rest != ""; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "n")
				add(s.Push(rest[:n]))
				rest = rest[n:]
			}
			add(s.Flush())
			if reasoning != c.reasoning || content != c.content {
				t.Fatalf("%q: %q and %q, want %q and %q", c.text, reasoning, content, c.reasoning, c.content)
			}
		})
	}
}

func TestBegun(t *testing.T) {
	for prompt, want := range map[string]bool{
		"<|im_start|>assistant\n": false, "<|im_start|>assistant\n<think>\n": true, "<|im_start|>assistant\n<think>\n\n</think>\n\n": false, "": false,
	} {
		if Begun(prompt) != want {
			t.Errorf("%q: %v", prompt, !want)
		}
	}
}
