package tokenizer

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestThoughts(t *testing.T) {
	for _, c := range []struct{ name, prompt, text, thought, answer string }{
		{"none", "", "Yes.", "", "Yes."},
		{"some", "", "<think>\nHm.\n\nWell.\n</think>\n\nYes.\n", "Hm.\n\nWell.", "Yes.\n"},
		{"begun by the prompt", "…assistant\n<think>\n", "Hm.\n</think>\n\nYes.", "Hm.", "Yes."},
		{"empty", "", "<think>\n\n</think>\n\nYes.", "", "Yes."},
		{"no end", "", "<think>\nHm. <", "Hm. <", ""},
		{"later", "", "A <think> tag.", "", "A <think> tag."},
		{"only the start of a tag", "", "\n<thin", "", "\n<thin"},
		{"tags in the thought", "", "<think></thin</think>x", "</thin", "x"},
		{"nothing", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { // however it is cut
				s := NewThoughts(Prompt{Text: c.prompt})
				var thought, answer strings.Builder
				add := func(a, b string) {
					if a != "" && answer.Len() > 0 {
						t.Fatal("a thought after the answer began")
					}
					thought.WriteString(a)
					answer.WriteString(b)
				}
				for rest := c.text; rest != ""; {
					n := rapid.IntRange(1, len(rest)).Draw(t, "bytes")
					add(s.Next(rest[:n]))
					rest = rest[n:]
				}
				add(s.Flush())
				if thought.String() != c.thought || answer.String() != c.answer {
					t.Fatalf("thought %q, answer %q; want %q, %q", thought.String(), answer.String(), c.thought, c.answer)
				}
			})
		})
	}
}
