package tokenizer

import (
	"context"
	"strings"
	"unicode/utf8"
)

// mark, put inside the text of a control token that a message spells, keeps it from being taken for the token while templates
// run. It is one of the code points that Unicode reserves for such inner uses.
const mark = "\uFDD0"

// quote returns s with a mark after the first character of every control token in it. It may end before the end of s, as c says.
func (t *Tokenizer) quote(c *checks, s string) string {
	var b strings.Builder
	done := 0
	for i := range s {
		if !c.look(1) {
			break
		}
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

// quoteMessages quotes all texts of a conversation but the arguments of tool calls, which are JSON. It ends with ctx.
func (t *Tokenizer) quoteMessages(ctx context.Context, messages []Message) ([]Message, error) {
	c := checks{ctx: ctx}
	quoted := make([]Message, len(messages))
	for i, m := range messages {
		m.Role, m.Content, m.Reasoning, m.Name = t.quote(&c, m.Role), t.quote(&c, m.Content), t.quote(&c, m.Reasoning), t.quote(&c, m.Name)
		calls := make([]ToolCall, len(m.ToolCalls))
		for j, call := range m.ToolCalls {
			calls[j] = ToolCall{ID: call.ID, Name: t.quote(&c, call.Name), Arguments: call.Arguments}
		}
		m.ToolCalls = calls
		quoted[i] = m
	}
	return quoted, c.err
}

// unquote returns s without marks.
func unquote(s string) string { return strings.ReplaceAll(s, mark, "") }
