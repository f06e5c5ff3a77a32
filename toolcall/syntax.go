package toolcall

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/tokenizer"
)

// control is the byte before the name of a control token where tokens are spelled: no text has it.
const control = "\xFF"

const (
	thinkStart = "<think>"
	thinkEnd   = "</think>"
)

// Spell returns the bytes of a token. Those of a control token begin with 0xFF, which no text has, but for the tags of thoughts, which are text. A token of
// that byte alone has none.
func Spell(tok *tokenizer.Tokenizer, token int32) string {
	text := tok.Token(token)
	switch {
	case text == control:
		return ""
	case tok.IsSpecial(token) && text != "" && text != thinkStart && text != thinkEnd:
		return control + text
	}
	return text
}

// Syntax is how a model writes calls:
//
//	open NAME middle ARGUMENTS ( between NAME middle ARGUMENTS )* end
//
// where ARGUMENTS is a JSON object, or each argument as parameters says.
//
// Control tokens in it are spelled as [Spell] does. It is safe for concurrent use.
type Syntax struct {
	tok *tokenizer.Tokenizer

	opens    []string // ways to open the first call
	triggers []string // beginnings of these by which a call is told from text
	anchored bool     // a call opens only at the beginning of an answer
	byName   bool     // and with the name of a tool: a [Grammar] has the triggers
	middle   string
	between  string // empty if a model writes one call at most
	end      string
	// parameters is how the arguments are written one by one. If it is nil, they are a JSON object.
	parameters *grammar.Parameters

	mayThink bool // before it answers
	lexer    *lexer
	// opening are tokens that can end a trigger and go on.
	opening []int32

	// channels says that the model writes in channels, as gpt-oss does. Then mustCall is the lexer of answers that are calls, heading are tokens of headers, and
	// controls those of control.
	channels          bool
	mustCall          *lexer
	heading, controls []int32
}

// What the conversation is made of by which a syntax is found.
const (
	probeName  = "probe_function"
	probeKey   = "probe_argument"
	probeOther = "probe_second"
	probeID    = "probe0123"
	probeFirst = "first probe"
	probeThen  = "second probe"
)

// Find learns from a model's chat template how it writes calls. The error wraps [ErrUnsupported] where it knows none.
func Find(ctx context.Context, tok *tokenizer.Tokenizer) (*Syntax, error) {
	s := &Syntax{tok: tok}
	if err := s.find(ctx); err != nil {
		return nil, fmt.Errorf("toolcall: %w", err)
	}
	if _, ok := tok.Special(thinkStart); ok {
		s.mayThink = true
	}
	slices.Sort(s.triggers)
	if s.lexer = newLexer(s.triggers, s.anchored); s.channels {
		s.lexer, s.mustCall, s.mayThink = newChannels(true), newChannels(false), true
	}
	s.findOpening()
	return s, nil
}

// argument returns arguments that have a text.
func argument(text string) string { return `{"` + probeKey + `": "` + text + `"}` }

// probe renders a conversation in which the assistant calls a function with some arguments, and then others.
func probe(ctx context.Context, tok *tokenizer.Tokenizer, calls ...string) (string, error) {
	messages := []tokenizer.Message{{Role: "user", Content: "Question?"}}
	if len(calls) > 0 {
		turn := tokenizer.Message{Role: "assistant"}
		for _, arguments := range calls {
			turn.ToolCalls = append(turn.ToolCalls, tokenizer.ToolCall{ID: probeID, Name: probeName, Arguments: json.RawMessage(arguments)})
		}
		messages = append(messages, turn)
		for range calls {
			messages = append(messages, tokenizer.Message{Role: "tool", Content: "Result.", ToolCallID: probeID, Name: probeName})
		}
	}
	tool := Tool{Name: probeName, Description: "Answers.", Parameters: json.RawMessage(`{"type": "object", "properties": {"` + probeKey + `": {"type": "string"}, "` + probeOther + `": {"type": "string"}}, "required": ["` + probeKey + `"]}`)}
	prompt, err := tok.Chat(ctx, messages, tokenizer.ChatOptions{
		Tools: []json.RawMessage{tool.JSON()}, AddGenerationPrompt: len(calls) == 0, Date: time.Unix(0, 0),
	})
	if err != nil {
		return "", err
	}
	if prompt.Fallback != nil {
		return "", prompt.Fallback
	}
	ids, err := tok.EncodePrompt(ctx, prompt)
	if err != nil {
		return "", err
	}
	var spelled strings.Builder
	for _, id := range ids {
		spelled.WriteString(Spell(tok, id))
	}
	return spelled.String(), nil
}

// written is what a template wrote around the name and the arguments of a call.
type written struct{ before, middle, after string }

// cut finds the first call of a text, with a value.
func cut(text, value string) (w written, ok bool) {
	before, rest, found := strings.Cut(text, probeName)
	key := strings.Index(rest, `"`+probeKey+`"`)
	if !found || key < 0 {
		return w, false
	}
	begin := strings.LastIndex(rest[:key], "{")
	if begin < 1 || strings.Contains(rest[:begin], probeName) {
		return w, false
	}
	var arguments map[string]any
	decoder := json.NewDecoder(strings.NewReader(rest[begin:]))
	if decoder.Decode(&arguments) != nil || len(arguments) != 1 || arguments[probeKey] != value {
		return w, false
	}
	after := rest[begin+int(decoder.InputOffset()):]
	// Some templates write the id of a call, which no model does.
	after = strings.Replace(after, `, "id": "`+probeID+`"`, "", 1)
	return written{before, rest[:begin], after}, true
}

func (s *Syntax) find(ctx context.Context) error {
	begin, err := probe(ctx, s.tok)
	if err != nil {
		return fmt.Errorf("the chat template can't take tools: %w: %w", ErrUnsupported, err)
	}
	if !strings.Contains(begin, probeName) {
		return fmt.Errorf("the chat template does not tell the model of tools: %w", ErrUnsupported)
	}
	begin, _, _ = strings.Cut(begin[strings.LastIndex(begin, probeName):], thinkStart)
	answer := func(arguments string) (string, error) {
		text, err := probe(ctx, s.tok, arguments)
		if err != nil {
			return "", fmt.Errorf("the chat template can't take calls: %w: %w", ErrUnsupported, err)
		}
		at := strings.LastIndex(text, begin)
		if at < 0 {
			return "", fmt.Errorf("the chat template does not write calls where answers begin: %w", ErrUnsupported)
		}
		text = text[at+len(begin):]
		if thought := strings.Index(text, thinkEnd); thought >= 0 && thought < strings.Index(text, probeName) {
			text = text[thought+len(thinkEnd):] // an empty one
		}
		return text, nil
	}
	one, err := answer(argument(probeFirst))
	if err != nil {
		return err
	}
	call, ok := cut(one, probeFirst)
	if !ok {
		return s.findParameters(ctx, answer)
	}
	if s.channels = s.tok.HasChannels() && strings.Contains(call.before, callRecipient); s.channels {
		s.opens, s.triggers = []string{callHeader}, []string{callHeader}
		s.middle = control + channelsMessage
		if _, ok := s.tok.Special(constrain); ok {
			s.middle = " " + control + constrain + "json" + s.middle
		}
		return nil
	}
	s.middle = call.middle
	if s.end, ok = s.untilEnd(call.after); !ok {
		return fmt.Errorf("the chat template writes no token that ends a turn after a call: %w", ErrUnsupported)
	}
	if strings.Contains(call.before+s.middle+s.end, probeID) || strings.IndexByte(nameBytes, s.middle[0]) >= 0 {
		return fmt.Errorf("the chat template writes calls with ids: %w", ErrUnsupported)
	}
	if err := s.open(call.before); err != nil {
		return err
	}
	s.between = s.separator(ctx, func(text, value string) (end string, ok bool) {
		w, ok := cut(text, value)
		return w.after, ok && w.middle == s.middle
	})
	return nil
}

// untilEnd returns a text up to a token that ends a turn.
func (s *Syntax) untilEnd(text string) (before string, ok bool) {
	first := len(text)
	for _, id := range s.tok.EOS() {
		if i := strings.Index(text, Spell(s.tok, id)); i >= 0 && i < first {
			first, ok = i, true
		}
	}
	return text[:first], ok
}

// open sets what opens a call.
func (s *Syntax) open(text string) error {
	trimmed := strings.TrimLeft(text, " \n")
	if trimmed == "" {
		return fmt.Errorf("the chat template writes nothing before the name of a call: %w", ErrUnsupported)
	}
	s.opens = []string{trimmed}
	ids := s.tok.Encode(strings.ReplaceAll(trimmed, control, ""), tokenizer.EncodeOptions{ParseSpecial: true})
	if first := Spell(s.tok, ids[0]); strings.HasPrefix(trimmed, first) {
		if _, added := s.tok.Special(s.tok.Token(ids[0])); added {
			s.triggers = []string{first}
			return nil
		}
	}
	if tag := strings.IndexByte(trimmed, '>'); trimmed[0] == '<' && tag > 0 {
		s.triggers = []string{trimmed[:tag+1]}
		return nil
	}
	s.anchored = true
	if s.byName = s.parameters != nil; s.byName {
		s.triggers = nil
		return nil
	}
	// Without a tag, it is the first member's name that tells.
	s.triggers = []string{trimmed}
	if colon := strings.LastIndexByte(trimmed, ':'); colon > 0 {
		s.triggers[0] = trimmed[:colon]
	}
	const pythonTag = "<|python_tag|>"
	if id, ok := s.tok.Special(pythonTag); ok {
		s.opens = append(s.opens, Spell(s.tok, id)+trimmed)
		s.triggers = append(s.triggers, Spell(s.tok, id))
	}
	return nil
}

// separator returns what the template writes between the arguments of a call and the name of the next one, or nothing if it writes one call only. after
// returns what follows the arguments of a call, with one value, from whose name on a text is.
func (s *Syntax) separator(ctx context.Context, after func(text, value string) (string, bool)) string {
	two, err := probe(ctx, s.tok, argument(probeFirst), argument(probeThen))
	if err != nil {
		return ""
	}
	start := strings.Index(two, s.opens[0]+probeName+s.middle)
	if start < 0 {
		return ""
	}
	first, ok := after(two[start+len(s.opens[0]):], probeFirst)
	next := strings.Index(first, probeName)
	if !ok || next < 0 {
		return ""
	}
	second, ok := after(first[next:], probeThen)
	end, ends := s.untilEnd(second)
	if !ok || !ends || end != s.end || strings.Contains(first[:next], probeID) {
		return ""
	}
	return first[:next]
}

// findOpening finds the tokens that can end a trigger and go on.
func (s *Syntax) findOpening() {
	for id := range int32(s.tok.Size()) {
		text := Spell(s.tok, id)
		if s.channels && text != "" {
			s.findHeading(id, text)
		}
		if s.byName && opens(text, s.middle[len(s.middle)-1:]) {
			s.opening = append(s.opening, id)
		}
		for _, trigger := range s.triggers {
			if opens(text, trigger) {
				s.opening = append(s.opening, id)
				break
			}
		}
	}
}

// opens reports whether a text has more after the end of a trigger that it begins within, or contains.
func opens(text, trigger string) bool {
	last := trigger[len(trigger)-1]
	for i := range len(text) - 1 {
		if n := i + 1; text[i] == last && (strings.HasSuffix(text[:n], trigger) || n < len(trigger) && trigger[len(trigger)-n:] == text[:n]) {
			return true
		}
	}
	return false
}

// String returns the syntax in a readable form.
func (s *Syntax) String() string {
	arguments := "ARGUMENTS"
	if p := s.parameters; p != nil {
		arguments = fmt.Sprintf("( %q KEY %q VALUE %q with %q between, python %v, raw until %q )", p.Before, p.Equals, p.After, p.Between, p.Python, p.Raw)
	}
	text := fmt.Sprintf("%q NAME %q %s %q", s.opens, s.middle, arguments, s.end)
	if s.between != "" {
		text += fmt.Sprintf(", several with %q between", s.between)
	}
	return text + fmt.Sprintf(", opens at %q", s.triggers)
}
