package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parser reads statements; expressions are in parse_expr.go. Precedence and its oddities are those of Jinja2.
type parser struct {
	tokens  []token
	pos     int
	nesting int
	loops   int // around the place, within the same macro
}

func (p *parser) peek() token { return p.tokens[p.pos] }
func (p *parser) line() int   { return p.peek().line }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != tokenEnd {
		p.pos++
	}
	return t
}

// is reports whether the next token is this name or operator.
func (p *parser) is(text string) bool {
	t := p.peek()
	return t.text == text && (t.kind == tokenName || t.kind == tokenOperator)
}

func (p *parser) isKind(kind tokenKind) bool { return p.peek().kind == kind }

// accept goes past the name or operator if it is next.
func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return fmt.Errorf("%s where %q is expected", p.peek(), text)
	}
	return nil
}

func (p *parser) name() (string, error) {
	if !p.isKind(tokenName) {
		return "", fmt.Errorf("%s where a name is expected", p.peek())
	}
	return p.next().text, nil
}

// endTag goes past the end of a block's tag.
func (p *parser) endTag() error {
	if !p.isKind(tokenBlockEnd) {
		return fmt.Errorf("%s where the end of the tag is expected", p.peek())
	}
	p.pos++
	return nil
}

// nested counts a level of nesting around f.
func (p *parser) nested(f func() error) error {
	if p.nesting++; p.nesting > maxNesting {
		return fmt.Errorf("%w: nested deeper than %d", ErrLimit, maxNesting)
	}
	defer func() { p.nesting-- }()
	return f()
}

// body reads statements up to a tag with one of these names, which it goes past; without names it reads to the end of the template.
func (p *parser) body(ends ...string) (body, error) {
	var b body
	err := p.nested(func() error {
		for {
			line := p.line()
			switch t := p.next(); t.kind {
			case tokenText:
				b = append(b, located{line, text(t.text)})
			case tokenOutputBegin:
				x, err := p.tuple(true)
				if err != nil {
					return err
				}
				if !p.isKind(tokenOutputEnd) {
					return fmt.Errorf("%s where the end of the tag is expected", p.peek())
				}
				p.pos++
				b = append(b, located{line, output{x}})
			case tokenBlockBegin:
				name, err := p.name()
				if err != nil {
					return err
				}
				if slices.Contains(ends, name) {
					p.pos-- // the caller looks which one it is
					return nil
				}
				parse, ok := statements[name]
				if !ok {
					return fmt.Errorf("tag %q is not known here", shorten(name))
				}
				s, err := parse(p)
				if err != nil {
					return err
				}
				b = append(b, located{line, s})
			default:
				if len(ends) > 0 {
					return fmt.Errorf("the template ends before {%% %s %%}", ends[len(ends)-1])
				}
				return nil
			}
		}
	})
	return b, err
}

// block reads statements up to this tag, and the tag.
func (p *parser) block(end string) (body, error) {
	b, err := p.body(end)
	if err != nil {
		return nil, err
	}
	p.pos++
	return b, p.endTag()
}

var statements map[string]func(*parser) (stmt, error)

func init() { // which the functions refer to
	statements = map[string]func(*parser) (stmt, error){
		"for": (*parser).forTag, "if": (*parser).ifTag, "set": (*parser).setTag, "macro": (*parser).macroTag, "call": (*parser).callTag,
		"filter": (*parser).filterTag, "with": (*parser).withTag, "generation": (*parser).generationTag,
		"break":    func(p *parser) (stmt, error) { return p.jump(errBreak) },
		"continue": func(p *parser) (stmt, error) { return p.jump(errContinue) },
	}
}

func (p *parser) jump(what error) (stmt, error) {
	if p.loops == 0 {
		return nil, fmt.Errorf("%w outside of a loop", what)
	}
	return jump{what}, p.endTag()
}

func (p *parser) forTag() (stmt, error) {
	var s forLoop
	var err error
	if s.target, err = p.target(); err != nil {
		return nil, err
	}
	if err = p.expect("in"); err != nil {
		return nil, err
	}
	if s.over, err = p.tuple(false); err != nil {
		return nil, err
	}
	if p.accept("if") {
		if s.when, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	p.loops++
	s.body, err = p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.accept("else") {
		if err := p.endTag(); err != nil {
			return nil, err
		}
		if s.otherwise, err = p.body("endfor"); err != nil {
			return nil, err
		}
	}
	p.pos++
	return &s, p.endTag()
}

func (p *parser) ifTag() (stmt, error) {
	var s conditional
	for {
		test, err := p.tuple(false)
		if err != nil {
			return nil, err
		}
		if err := p.endTag(); err != nil {
			return nil, err
		}
		b, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.branches = append(s.branches, branch{test, b})
		switch p.next().text {
		case "endif":
			return &s, p.endTag()
		case "else":
			if err := p.endTag(); err != nil {
				return nil, err
			}
			s.otherwise, err = p.block("endif")
			return &s, err
		}
	}
}

func (p *parser) setTag() (stmt, error) {
	to, err := p.target()
	if err != nil {
		return nil, err
	}
	if len(to.names) == 1 && to.names[0].attribute == "" && p.accept(".") {
		if to.names[0].attribute, err = p.name(); err != nil {
			return nil, err
		}
	}
	if p.accept("=") {
		x, err := p.tuple(true)
		if err != nil {
			return nil, err
		}
		return set{to, x}, p.endTag()
	}
	s := setBlock{to: to}
	if s.filters, err = p.filterChain(piped{}); err != nil {
		return nil, err
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	s.body, err = p.block("endset")
	return s, err
}

// target reads a name, or several that the items of a value go to.
func (p *parser) target() (target, error) {
	var t target
	for {
		var part assigned
		if p.accept("(") {
			err := p.nested(func() error {
				inner, err := p.target()
				part.inner = &inner
				return err
			})
			if err != nil {
				return t, err
			}
			if err := p.expect(")"); err != nil {
				return t, err
			}
		} else {
			var err error
			if part.name, err = p.name(); err != nil {
				return t, err
			}
		}
		t.names = append(t.names, part)
		if !p.accept(",") {
			return t, nil
		}
		t.several = true
		if !p.isKind(tokenName) && !p.is("(") || p.is("in") {
			return t, nil
		}
	}
}

func (p *parser) macroTag() (stmt, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	m := macro{name: name}
	if err := p.signature(&m); err != nil {
		return nil, err
	}
	return &m, p.macroBody(&m, "endmacro")
}

// signature reads the parameters of a macro in parentheses.
func (p *parser) signature(m *macro) error {
	if err := p.expect("("); err != nil {
		return err
	}
	for !p.accept(")") {
		if len(m.params) > 0 {
			if err := p.expect(","); err != nil {
				return err
			}
		}
		name, err := p.name()
		if err != nil {
			return err
		}
		param := param{name: name}
		if p.accept("=") {
			if param.fallback, err = p.expression(); err != nil {
				return err
			}
		}
		m.params = append(m.params, param)
	}
	return nil
}

func (p *parser) macroBody(m *macro, end string) error {
	if err := p.endTag(); err != nil {
		return err
	}
	loops := p.loops
	p.loops = 0
	defer func() { p.loops = loops }()
	var err error
	m.body, err = p.block(end)
	return err
}

func (p *parser) callTag() (stmt, error) {
	s := callBlock{macro: macro{name: "caller"}}
	if p.is("(") {
		if err := p.signature(&s.macro); err != nil {
			return nil, err
		}
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, ok := x.(*call)
	if !ok {
		return nil, errors.New("a call tag without a call")
	}
	s.call = c
	return &s, p.macroBody(&s.macro, "endcall")
}

func (p *parser) filterTag() (stmt, error) {
	p.pos-- // filterChain wants an operator before each filter: the name of the tag stands for the first
	p.tokens[p.pos] = token{tokenOperator, "|", p.line()}
	filters, err := p.filterChain(piped{})
	if err != nil {
		return nil, err
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	b, err := p.block("endfilter")
	return filterBlock{filters, b}, err
}

func (p *parser) withTag() (stmt, error) {
	var s with
	for !p.isKind(tokenBlockEnd) {
		if len(s.names) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if err := p.expect("="); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.names, s.values = append(s.names, name), append(s.values, x)
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	var err error
	s.body, err = p.block("endwith")
	return s, err
}

// generationTag reads the words of the assistant, which are marked for training.
func (p *parser) generationTag() (stmt, error) {
	if err := p.endTag(); err != nil {
		return nil, err
	}
	b, err := p.block("endgeneration")
	return with{body: b}, err
}

// dotted reads a name with dots.
func (p *parser) dotted() (string, error) {
	name, err := p.name()
	parts := []string{name}
	for err == nil && p.accept(".") {
		name, err = p.name()
		parts = append(parts, name)
	}
	return strings.Join(parts, "."), err
}
