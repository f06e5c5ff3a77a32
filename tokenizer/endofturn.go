package tokenizer

import (
	"context"
	"strings"
)

// addEndOfTurn adds the token that the chat template writes after an assistant's words to those that end a text: some files name only the
// token that ends a whole text, which a model that chats does not write. A template that writes none, or that can't be used, adds nothing.
func (t *Tokenizer) addEndOfTurn() {
	if t.HasChannels() {
		t.addEndsOfChannels()
		return
	}
	const words = "These are the assistant's words."
	// The user's second turn makes a template end the turn before it: some leave the last one open.
	turns := []Message{{Role: "user", Content: "1"}, {Role: "assistant", Content: words}, {Role: "user", Content: "2"}}
	// The bounds of a template hold without a context too.
	prompt, err := t.Chat(context.Background(), turns, ChatOptions{})
	if err != nil {
		return
	}
	_, after, _ := strings.Cut(prompt.Text, words)
	ids := t.Encode(strings.TrimLeft(after, " \t\r\n"), EncodeOptions{ParseSpecial: true})
	if len(ids) > 0 && t.extra(ids[0]) {
		t.addEOS(ids[0])
	}
}
