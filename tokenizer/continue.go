package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// lastEnd, after the last message, shows where a template has put its end, and keeps white space before it from being cut. Like [mark] it is one of the code
// points for inner uses.
const lastEnd = "\uFDD1"

// openLast puts lastEnd after the last message.
func openLast(messages []Message) ([]Message, error) {
	last := len(messages) - 1
	if last < 0 || messages[last].Role != "assistant" || len(messages[last].ToolCalls) > 0 {
		return nil, fmt.Errorf("tokenizer: only a last message of the assistant without calls can be continued: %w", ErrUnsupported)
	}
	messages = slices.Clone(messages)
	messages[last].Content += lastEnd
	return messages, nil
}

// cutLast cuts a rendered conversation at the end of the last message.
func cutLast(text string) (string, error) {
	end := strings.LastIndex(text, lastEnd)
	if end < 0 {
		return "", fmt.Errorf("it does not write the last message, which is to be continued: %w", ErrUnsupported)
	}
	return text[:end], nil
}
