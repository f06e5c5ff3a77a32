package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota // of the template
	tokenText
	tokenBlockBegin
	tokenBlockEnd
	tokenOutputBegin
	tokenOutputEnd
	tokenName
	tokenString
	tokenInteger
	tokenFloat
	tokenOperator
)

type token struct {
	kind tokenKind
	text string // of a string, what it stands for
	line int
}

// String describes the token in errors.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the template"
	case tokenText:
		return "text"
	case tokenBlockEnd, tokenOutputEnd:
		return "the end of the tag"
	}
	return strconv.Quote(shorten(t.text))
}

// shorten cuts a text that stands in an error.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// lexer cuts a template into tokens.
type lexer struct {
	source    string
	pos       int
	line      int
	lineBegin bool // what comes next begins a line, which is known where text follows a tag
	tokens    []token
}

func lex(source string) ([]token, error) {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, lineBegin: true}
	for l.pos < len(l.source) {
		if err := l.next(); err != nil {
			return nil, atLine(l.line, err)
		}
	}
	l.add(tokenEnd, "")
	return l.tokens, nil
}

func (l *lexer) add(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind, text, l.line})
}

// skip goes on by n bytes.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.source[l.pos:l.pos+n], "\n")
	l.pos += n
}

func (l *lexer) rest() string { return l.source[l.pos:] }

// next reads text and the tag after it.
func (l *lexer) next() error {
	text := l.rest()
	begin := 0
	for {
		i := strings.IndexByte(text[begin:], '{')
		if i < 0 || begin+i+1 == len(text) {
			l.add(tokenText, text)
			l.skip(len(text))
			return nil
		}
		begin += i
		if strings.IndexByte("%{#", text[begin+1]) >= 0 {
			break
		}
		begin++
	}
	sort, size, sign := text[begin+1], 2, byte(0)
	if begin+2 < len(text) && (text[begin+2] == '-' || text[begin+2] == '+') {
		sign, size = text[begin+2], 3
	}
	if kept := l.beforeTag(text[:begin], sort, sign); kept != "" {
		l.add(tokenText, kept)
	}
	l.skip(begin + size)
	var err error
	switch sort {
	case '#':
		err = l.comment()
	case '{':
		l.add(tokenOutputBegin, "")
		err = l.tag("}}", tokenOutputEnd)
	default:
		if raw := rawBegin(l.rest()); raw > 0 {
			l.skip(raw)
			err = l.raw()
			break
		}
		l.add(tokenBlockBegin, "")
		err = l.tag("%}", tokenBlockEnd)
	}
	l.lineBegin = l.source[l.pos-1] == '\n'
	return err
}

// beforeTag returns what is kept of the text before a tag.
func (l *lexer) beforeTag(text string, sort, sign byte) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, isSpace)
	}
	if sign == '+' || sort == '{' {
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || l.lineBegin) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// endOfTag returns how long the end of a tag is that text begins with, together with the white space that it takes along; 0 if it does not.
func endOfTag(text, end string) int {
	n := len(end)
	switch {
	case strings.HasPrefix(text, "-"+end):
		n++
		return len(text) - len(strings.TrimLeftFunc(text[n:], isSpace))
	case strings.HasPrefix(text, "+"+end) && end != "}}":
		return n + 1
	case !strings.HasPrefix(text, end):
		return 0
	case end != "}}" && strings.HasPrefix(text[n:], "\n"):
		return n + 1
	}
	return n
}

func (l *lexer) comment() error {
	text := l.rest()
	i := strings.Index(text, "#}")
	if i < 0 {
		return fmt.Errorf("a comment without an end")
	}
	if i > 0 && (text[i-1] == '-' || text[i-1] == '+') {
		i--
	}
	l.skip(i + endOfTag(text[i:], "#}"))
	return nil
}

// rawBegin returns the length of the rest of a tag that begins raw text; 0 if it is another tag.
func rawBegin(text string) int {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(text, isSpace), "raw")
	rest = strings.TrimLeftFunc(rest, isSpace)
	if after, minus := strings.CutPrefix(rest, "-%}"); ok && minus {
		return len(text) - len(strings.TrimLeftFunc(after, isSpace))
	}
	if after, end := strings.CutPrefix(rest, "%}"); ok && end {
		return len(text) - len(after)
	}
	return 0
}

// raw reads text up to {% endraw %}.
func (l *lexer) raw() error {
	text := l.rest()
	for at := 0; ; at += 2 {
		i := strings.Index(text[at:], "{%")
		if i < 0 {
			return fmt.Errorf("raw text without an end")
		}
		at += i
		kept, tag := text[:at], text[at+2:]
		if strings.HasPrefix(tag, "-") {
			kept = strings.TrimRightFunc(kept, isSpace)
		}
		if tag != "" && (tag[0] == '-' || tag[0] == '+') {
			tag = tag[1:]
		}
		rest, ok := strings.CutPrefix(strings.TrimLeftFunc(tag, isSpace), "endraw")
		rest = strings.TrimLeftFunc(rest, isSpace)
		if end := endOfTag(rest, "%}"); ok && end > 0 {
			l.add(tokenText, kept)
			l.skip(len(text) - len(rest) + end)
			return nil
		}
	}
}

// operators are those of more than one byte; the others are in singles.
var operators = []string{"//", "**", "==", "!=", ">=", "<="}

const singles = "+-/*%~[](){}<>=.:|,;"

var closing = map[byte]byte{'(': ')', '[': ']', '{': '}'}

// tag reads the tokens of a tag.
func (l *lexer) tag(end string, endKind tokenKind) error {
	var open []byte // the brackets that are to be closed
	for l.pos < len(l.source) {
		text := l.rest()
		if n := endOfTag(text, end); n > 0 && len(open) == 0 {
			l.add(endKind, "")
			l.skip(n)
			return nil
		}
		if rest := strings.TrimLeftFunc(text, isSpace); len(rest) < len(text) {
			l.skip(len(text) - len(rest))
			continue
		}
		switch c := text[0]; {
		case c >= '0' && c <= '9':
			if err := l.number(text); err != nil {
				return err
			}
			continue
		case c == '\'' || c == '"':
			if err := l.quoted(text); err != nil {
				return err
			}
			continue
		}
		if n := len(text) - len(strings.TrimLeftFunc(text, isWord)); n > 0 {
			l.add(tokenName, text[:n])
			l.skip(n)
			continue
		}
		n := 1
		for _, op := range operators {
			if strings.HasPrefix(text, op) {
				n = 2
			}
		}
		op := text[:n]
		switch {
		case n == 1 && strings.IndexByte(singles, op[0]) < 0:
			c, _ := utf8.DecodeRuneInString(text)
			return fmt.Errorf("unexpected character %q", c)
		case closing[op[0]] != 0:
			open = append(open, closing[op[0]])
		case strings.Contains(")]}", op):
			if len(open) == 0 || open[len(open)-1] != op[0] {
				return fmt.Errorf("unexpected %q", op)
			}
			open = open[:len(open)-1]
		}
		l.add(tokenOperator, op)
		l.skip(n)
	}
	return fmt.Errorf("a tag without an end")
}

// number reads an integer or a float that text begins with.
func (l *lexer) number(text string) error {
	digits := func(i int, set string) int {
		for i < len(text) && (strings.IndexByte(set, text[i]) >= 0 || text[i] == '_' && i+1 < len(text) && strings.IndexByte(set, text[i+1]) >= 0) {
			i++
		}
		return i
	}
	const decimal = "0123456789"
	n, kind := 0, tokenInteger
	if len(text) > 2 && text[0] == '0' && strings.IndexByte("xXoObB", text[1]) >= 0 {
		set := map[byte]string{'x': decimal + "abcdefABCDEF", 'o': decimal[:8], 'b': "01"}[text[1]|0x20]
		if n = digits(2, set); n == 2 {
			n = 1
		}
	} else {
		n = digits(0, decimal)
		if l.pos == 0 || l.source[l.pos-1] != '.' {
			if n+1 < len(text) && text[n] == '.' && text[n+1] >= '0' && text[n+1] <= '9' {
				n, kind = digits(n+1, decimal), tokenFloat
			}
			if n+1 < len(text) && text[n]|0x20 == 'e' {
				i := n + 1
				if text[i] == '+' || text[i] == '-' {
					i++
				}
				if end := digits(i, decimal); end > i {
					n, kind = end, tokenFloat
				}
			}
		}
	}
	l.add(kind, strings.ReplaceAll(text[:n], "_", ""))
	l.skip(n)
	return nil
}

// quoted reads a string.
func (l *lexer) quoted(text string) error {
	end := 1
	for end < len(text) && text[end] != text[0] {
		if text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(text) {
		return fmt.Errorf("a string without an end")
	}
	value, err := unescape(text[1:end])
	if err != nil {
		return err
	}
	l.add(tokenString, value)
	l.skip(end + 1)
	return nil
}

// escapes are the characters that stand for others after a backslash.
var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\\': "\\", '\'': "'", '"': "\"", '\n': ""}

// hexDigits are the numbers of digits after \x, \u and \U.
var hexDigits = map[byte]int{'x': 2, 'u': 4, 'U': 8}

// unescape returns what a string literal stands for, as in Python. Half a surrogate pair becomes U+FFFD.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++ // the lexer lets no string end with a backslash
		c := s[i]
		if text, ok := escapes[c]; ok {
			b.WriteString(text)
		} else if n := hexDigits[c]; n > 0 {
			code, err := strconv.ParseUint(s[i+1:min(i+1+n, len(s))], 16, 32)
			if err != nil || i+n >= len(s) || code > unicode.MaxRune {
				return "", fmt.Errorf("a string with a broken escape \\%c", c)
			}
			b.WriteRune(rune(code))
			i += n
		} else if c >= '0' && c <= '7' {
			end := i + 1
			for end < min(i+3, len(s)) && s[end] >= '0' && s[end] <= '7' {
				end++
			}
			code, _ := strconv.ParseUint(s[i:end], 8, 32) // at most three digits
			b.WriteRune(rune(code))
			i = end - 1
		} else {
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// isSpace reports whether Python takes r for white space.
func isSpace(r rune) bool { return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r) }

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
