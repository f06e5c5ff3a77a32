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
	texts   texts
	lexer   *lexer
	opens   []string // by the lexer's triggers
	size    int      // of the vocabulary
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
	g := &Grammar{syntax: s, choice: choice, texts: texts{}, lexer: s.lexer, opens: s.triggers, size: vocabulary.Size(), end: s.tok.EOS()}
	var err error
	g.calls, err = vocabulary.Grammar(ctx, g.form(tools, schemas))
	if errors.Is(err, grammar.ErrUnsupported) {
		if err := g.free(ctx, vocabulary, tools, schemas); err != nil {
			return nil, err
		}
		g.calls, err = vocabulary.Grammar(ctx, g.form(tools, schemas))
	}
	if err != nil {
		return nil, fmt.Errorf("toolcall: %w", err)
	}
	if s.byName {
		if err := g.openByName(tools); err != nil {
			return nil, err
		}
	}
	for _, text := range []string{"\n", "\n\n"} {
		if ids := s.tok.Encode(text, tokenizer.EncodeOptions{}); len(ids) == 1 && s.tok.Token(ids[0]) == text {
			g.newline = append(g.newline, ids[0])
		}
	}
	return g, nil
}

// free lets the arguments be any object of those tools whose schema can't be enforced, unless they are strict; or, if they are written one by one, any that
// have the types of their properties.
func (g *Grammar) free(ctx context.Context, vocabulary *grammar.Vocabulary, tools []Tool, schemas [][]byte) error {
	for i, t := range tools {
		_, err := vocabulary.Grammar(ctx, g.arguments(t, schemas[i]))
		if errors.Is(err, grammar.ErrUnsupported) && !t.Strict {
			if schemas[i], err = anyObject, nil; g.syntax.parameters != nil {
				schemas[i] = typesOf(t.Parameters)
				_, err = vocabulary.Grammar(ctx, g.arguments(t, schemas[i]))
			}
		}
		if err != nil {
			return fmt.Errorf("toolcall: tool %s: %w", t.Name, err)
		}
	}
	return nil
}

// form returns the form of calls.
func (g *Grammar) form(tools []Tool, schemas [][]byte) grammar.Form {
	s := g.syntax
	var opens, calls []grammar.Form
	for _, open := range s.opens {
		opens = append(opens, grammar.Literal(open))
	}
	for i, t := range tools {
		calls = append(calls, grammar.Sequence(grammar.Literal(t.Name+s.middle), g.arguments(t, schemas[i])))
	}
	list := grammar.Choice(calls...)
	if s.between != "" && !g.choice.Single {
		list = grammar.List(list, s.between)
	}
	return grammar.Sequence(grammar.Choice(opens...), list, grammar.Literal(s.end))
}

// arguments returns the form of the arguments of a tool.
func (g *Grammar) arguments(t Tool, schema []byte) grammar.Form {
	if g.syntax.parameters == nil {
		return grammar.Value(schema)
	}
	p := *g.syntax.parameters
	g.texts[t.Name] = map[string]bool{}
	p.Text = func(name string) { g.texts[t.Name][name] = true }
	return p.Arguments(schema)
}

// maxOpens bounds the bytes of what opens calls, each of which is a state of the lexer.
const maxOpens = 1 << 14

// openByName lets a call open with the name of a tool.
func (g *Grammar) openByName(tools []Tool) error {
	g.opens = nil
	size := 0
	for _, t := range tools {
		open := g.syntax.opens[0] + t.Name + g.syntax.middle
		g.opens = append(g.opens, open)
		size += len(open)
	}
	if size > maxOpens {
		return fmt.Errorf("toolcall: the names of the tools have %d bytes, more than %d", size, maxOpens)
	}
	slices.Sort(g.opens)
	g.lexer = newLexer(g.opens, true)
	return nil
}

// Size returns the bytes of memory that the grammar takes, about, as [grammar.Grammar.Size] does.
func (g *Grammar) Size() int {
	size := g.calls.Size()
	if g.syntax.byName {
		size += g.lexer.size()
	}
	return size
}
