package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// mark, put inside the text of a control token that a message spells, keeps it from being taken for the token while templates
// run. It is one of the code points that Unicode reserves for such inner uses.
const mark = "\uFDD0"

// quote returns s with a mark after the first character of every control token in it.
func (t *Tokenizer) quote(s string) string {
	var b strings.Builder
	done := 0
	for i := range s {
		if !t.rawAdded.spellsControl(s[i:]) && !t.normalAdded.spellsControl(s[i:]) {
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[done:i+size] + mark)
		done = i + size
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

// quoteMessages quotes all texts of a conversation but the arguments of tool calls, which are JSON.
func (t *Tokenizer) quoteMessages(messages []Message) []Message {
	quoted := make([]Message, len(messages))
	for i, m := range messages {
		m.Role, m.Content, m.Reasoning, m.Name = t.quote(m.Role), t.quote(m.Content), t.quote(m.Reasoning), t.quote(m.Name)
		calls := make([]ToolCall, len(m.ToolCalls))
		for j, call := range m.ToolCalls {
			calls[j] = ToolCall{ID: call.ID, Name: t.quote(call.Name), Arguments: call.Arguments}
		}
		m.ToolCalls = calls
		quoted[i] = m
	}
	return quoted
}

// unquote returns s without marks.
func unquote(s string) string { return strings.ReplaceAll(s, mark, "") }
