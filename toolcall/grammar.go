package toolcall

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/tokenizer"
)

// Grammar is the calls of some tools, as a model writes them. It is safe for concurrent use.
type Grammar struct {
	syntax  *Syntax
	choice  Choice
	calls   *grammar.Grammar // from what opens the first call to what ends the last one
	size    int              // of the vocabulary
	end     []int32
	newline []int32 // tokens of one line break or two
}

// anyObject is the schema of the arguments of a tool whose own can't be enforced.
var anyObject = []byte(`{"type": "object", "additionalProperties": true}`)

// Grammar returns the calls of some tools. vocabulary must be that of the tokenizer by which the syntax was found, with tokens as [Spell] spells them. An
// error about a schema is that of [grammar.Vocabulary.JSONSchema], with the tool's name; others tell what is wrong with tools and choice.
func (s *Syntax) Grammar(ctx context.Context, vocabulary *grammar.Vocabulary, tools []Tool, choice Choice) (*Grammar, error) {
	if err := Check(tools); err != nil {
		return nil, err
	}
	if choice.Name != "" {
		tools = slices.DeleteFunc(slices.Clone(tools), func(t Tool) bool { return t.Name != choice.Name })
		if len(tools) == 0 {
			return nil, fmt.Errorf("toolcall: there is no tool of the name %.100q", choice.Name)
		}
	}
	if len(tools) == 0 {
		return nil, errors.New("toolcall: there are no tools")
	}
	schemas := make([][]byte, len(tools))
	for i, t := range tools {
		schemas[i], _ = t.object() // as Check has seen
	}
	calls, err := vocabulary.Grammar(ctx, s.form(tools, schemas, choice.Single))
	if errors.Is(err, grammar.ErrUnsupported) {
		if err := s.free(ctx, vocabulary, tools, schemas); err != nil {
			return nil, err
		}
		calls, err = vocabulary.Grammar(ctx, s.form(tools, schemas, choice.Single))
	}
	if err != nil {
		return nil, fmt.Errorf("toolcall: %w", err)
	}
	g := &Grammar{syntax: s, choice: choice, calls: calls, size: vocabulary.Size(), end: s.tok.EOS()}
	for _, text := range []string{"\n", "\n\n"} {
		if ids := s.tok.Encode(text, tokenizer.EncodeOptions{}); len(ids) == 1 && s.tok.Token(ids[0]) == text {
			g.newline = append(g.newline, ids[0])
		}
	}
	return g, nil
}

// free lets the arguments be any object of those tools whose schema can't be enforced, unless they are strict.
func (s *Syntax) free(ctx context.Context, vocabulary *grammar.Vocabulary, tools []Tool, schemas [][]byte) error {
	for i, t := range tools {
		_, err := vocabulary.JSONSchema(ctx, schemas[i])
		switch {
		case errors.Is(err, grammar.ErrUnsupported) && !t.Strict:
			schemas[i] = anyObject
		case err != nil:
			return fmt.Errorf("toolcall: tool %s: %w", t.Name, err)
		}
	}
	return nil
}

// form returns the form of calls.
func (s *Syntax) form(tools []Tool, schemas [][]byte, single bool) grammar.Form {
	var opens, calls []grammar.Form
	for _, open := range s.opens {
		opens = append(opens, grammar.Literal(open))
	}
	for i, t := range tools {
		calls = append(calls, grammar.Sequence(grammar.Literal(t.Name+s.middle), grammar.Value(schemas[i])))
	}
	list := grammar.Choice(calls...)
	if s.between != "" && !single {
		list = grammar.List(list, s.between)
	}
	return grammar.Sequence(grammar.Choice(opens...), list, grammar.Literal(s.end))
}

// Size returns the bytes of memory that the grammar takes, about, as [grammar.Grammar.Size] does.
func (g *Grammar) Size() int { return g.calls.Size() }
