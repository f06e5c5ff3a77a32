package lever

import "github.com/lever-go/lever/tokenizer"

// thinking tells what a model thinks from what it answers, while it does.
type thinking struct {
	split           *tokenizer.Thoughts
	thought, answer func(text string) error // answer may be nil
}

// take takes a piece of text.
func (t *thinking) take(text string) error { return t.tell(t.split.Next(text)) }

// end takes what is held back still.
func (t *thinking) end() error { return t.tell(t.split.Flush()) }

func (t *thinking) tell(thought, answer string) error {
	if thought != "" {
		if err := t.thought(thought); err != nil {
			return err
		}
	}
	if answer == "" || t.answer == nil {
		return nil
	}
	return t.answer(answer)
}

// splitThought returns what a text has of thoughts and of an answer, after a prompt of which the end will do.
func splitThought(prompt, text string) (thought, answer string) {
	split := tokenizer.NewThoughts(tokenizer.Prompt{Text: prompt})
	thought, answer = split.Next(text)
	restThought, rest := split.Flush()
	return thought + restThought, answer + rest
}
