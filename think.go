package lever

import (
	"strings"

	"github.com/lever-go/lever/tokenizer"
)

// thinking tells what a model thinks from what it answers, while it does.
type thinking struct {
	split *tokenizer.Thoughts
	// tellThought and tellAnswer, if not nil, are called with the text of each as it comes.
	tellThought, tellAnswer func(text string) error

	thought, answer strings.Builder // all that was taken
}

// newThinking begins after a prompt, of which the end will do.
func newThinking(prompt string) *thinking {
	return &thinking{split: tokenizer.NewThoughts(tokenizer.Prompt{Text: prompt})}
}

// take takes a piece of text.
func (t *thinking) take(text string) error { return t.tell(t.split.Next(text)) }

// end takes what is held back still.
func (t *thinking) end() error { return t.tell(t.split.Flush()) }

func (t *thinking) tell(thought, answer string) error {
	t.thought.WriteString(thought)
	t.answer.WriteString(answer)
	if thought != "" && t.tellThought != nil {
		if err := t.tellThought(thought); err != nil {
			return err
		}
	}
	if answer == "" || t.tellAnswer == nil {
		return nil
	}
	return t.tellAnswer(answer)
}
