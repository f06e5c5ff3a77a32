package tokenizer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// endlessNumber is what the interpreter's lexer would read over and over.
var endlessNumber = regexp.MustCompile(`\p{Nd}\.[^\x00-\x7F]`)

// vet refuses templates that the interpreter would misread, or on which it could not be held within bounds.
func vet(stream *tokens.Stream) error {
	blocks := 0
	for !stream.EOF() {
		t := stream.Next()
		if t.Type == tokens.Error {
			return fmt.Errorf("line %d: %s", t.Line, t.Val)
		}
		if t.Type != tokens.BlockBegin && t.Type != tokens.VariableBegin {
			continue
		}
		tag, err := readTag(stream)
		if err != nil {
			return fmt.Errorf("line %d: %w", t.Line, err)
		}
		if t.Type == tokens.VariableBegin || len(tag) == 0 {
			continue
		}
		switch name := tag[0].Val; {
		case name == "for" || name == "if":
			if blocks++; blocks > maxNesting {
				return fmt.Errorf("line %d: blocks nested deeper than %d", t.Line, maxNesting)
			}
		case name == "endfor" || name == "endif":
			blocks--
		case name == "set" && !plainTarget(tag[1:]):
			return fmt.Errorf("line %d: only {%% set name = … %%} and {%% set name.attribute = … %%} are supported", t.Line)
		}
	}
	if stream.IsError() {
		return errors.New(stream.Current().Val)
	}
	return nil
}

// readTag reads the tokens of a tag up to its end and checks each.
func readTag(stream *tokens.Stream) ([]*tokens.Token, error) {
	var tag []*tokens.Token
	depth := 0
	for !stream.End() {
		t := stream.Next()
		switch t.Type {
		case tokens.BlockEnd, tokens.VariableEnd:
			return tag, nil
		case tokens.Multiply, tokens.Power:
			return nil, fmt.Errorf("operator %s is not supported", t.Val)
		case tokens.LeftParenthesis, tokens.LeftBracket, tokens.LeftBrace:
			depth++
		case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace:
			depth--
		}
		tag = append(tag, t)
		switch {
		case depth > maxNesting:
			return nil, fmt.Errorf("brackets nested deeper than %d", maxNesting)
		case len(tag) > maxTagTokens:
			return nil, fmt.Errorf("a tag of more than %d words and signs", maxTagTokens)
		case t.Type != tokens.String && strings.ContainsFunc(t.Val, strayCharacter):
			return nil, fmt.Errorf("cannot read %.40q", t.Val)
		}
	}
	if stream.IsError() {
		return nil, errors.New(stream.Current().Val)
	}
	return nil, errors.New("a tag without an end")
}

// strayCharacter reports whether the lexer has swallowed r, which belongs to no token, into one.
func strayCharacter(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("@#$^&`?\\;", r)
}

// plainTarget reports whether the tokens after "set" are a name, or a name and an attribute, and an assignment.
func plainTarget(tag []*tokens.Token) bool {
	is := func(i int, t tokens.Type) bool { return i < len(tag) && tag[i].Type == t }
	return is(0, tokens.Name) && (is(1, tokens.Assign) || is(1, tokens.Dot) && is(2, tokens.Name) && is(3, tokens.Assign))
}
