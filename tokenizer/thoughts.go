package tokenizer

import "strings"

const (
	thinkStart = "<think>"
	thinkEnd   = "</think>"
)

// Thoughts splits the streamed text of a model that thinks before it answers, as Qwen3 does between <think> and </think>. The text of a
// model that does not think is all answer.
type Thoughts struct {
	state thoughtState
	held  string // what may be the start of a tag, or white space around one
}

type thoughtState int

const (
	beforeThought thoughtState = iota
	atThought                  // its first characters are awaited
	inThought
	afterThought
	inAnswer
)

// NewThoughts returns a splitter for what follows a prompt: some templates begin the thought themselves.
func NewThoughts(p Prompt) *Thoughts {
	t := &Thoughts{}
	if strings.HasSuffix(strings.TrimRight(p.Text, "\n"), thinkStart) {
		t.state = atThought
	}
	return t
}

// Next takes a piece of text and returns what of it, and of what was held back, is thought and what is answer. The tags are left out, and
// so is white space between them and the text.
func (t *Thoughts) Next(text string) (thought, answer string) {
	t.held += text
	if t.state == beforeThought {
		trimmed := strings.TrimLeft(t.held, " \t\r\n")
		rest, thinks := strings.CutPrefix(trimmed, thinkStart)
		switch {
		case thinks:
			t.state, t.held = atThought, rest
		case strings.HasPrefix(thinkStart, trimmed):
			return "", "" // as far as one can see
		default:
			t.state = inAnswer
		}
	}
	if t.state == atThought {
		if t.held = strings.TrimLeft(t.held, "\n"); t.held != "" {
			t.state = inThought
		}
	}
	if t.state == inThought {
		before, after, ended := strings.Cut(t.held, thinkEnd)
		if !ended {
			n := len(t.held) - heldBack(t.held)
			thought, t.held = t.held[:n], t.held[n:]
			return thought, ""
		}
		thought, t.state, t.held = strings.TrimRight(before, "\n"), afterThought, after
	}
	if t.state == afterThought {
		if t.held = strings.TrimLeft(t.held, "\n"); t.held == "" {
			return thought, ""
		}
		t.state = inAnswer
	}
	if t.state == inAnswer {
		answer, t.held = t.held, ""
	}
	return thought, answer
}

// heldBack returns the length of the end of a thought that may belong to its closing tag: newlines, and a start of the tag.
func heldBack(text string) int {
	rest := text
	for n := min(len(thinkEnd)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, thinkEnd[:n]) {
			rest = text[:len(text)-n]
			break
		}
	}
	return len(text) - len(strings.TrimRight(rest, "\n"))
}

// Flush returns what was held back when the text has ended.
func (t *Thoughts) Flush() (thought, answer string) {
	rest := t.held
	t.held = ""
	if t.state == inThought {
		return rest, ""
	}
	return "", rest
}
