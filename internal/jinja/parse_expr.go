package jinja

import (
	"errors"
	"fmt"
	"strconv"
)

// expression reads an expression with inline if.
func (p *parser) expression() (x expr, err error) {
	err = p.nested(func() error {
		if x, err = p.or(); err != nil {
			return err
		}
		for p.accept("if") {
			c := &choice{then: x, otherwise: nothing}
			if c.test, err = p.or(); err != nil {
				return err
			}
			if p.accept("else") {
				if c.otherwise, err = p.expression(); err != nil {
					return err
				}
			}
			x = c
		}
		return nil
	})
	return x, err
}

// tuple reads one expression, or several with commas between them.
func (p *parser) tuple(inlineIf bool) (expr, error) {
	item := p.or
	if inlineIf {
		item = p.expression
	}
	return p.items(item)
}

func (p *parser) items(item func() (expr, error)) (expr, error) {
	var items []expr
	for {
		x, err := item()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		comma := p.accept(",")
		if t := p.peek(); !comma && len(items) == 1 {
			return x, nil
		} else if !comma || t.kind == tokenBlockEnd || t.kind == tokenOutputEnd || p.is(")") {
			return &sequence{items, tupleKind}, nil
		}
	}
}

func (p *parser) or() (expr, error)  { return p.logic("or", p.and) }
func (p *parser) and() (expr, error) { return p.logic("and", p.not) }

func (p *parser) logic(op string, operand func() (expr, error)) (expr, error) {
	x, err := operand()
	for err == nil && p.accept(op) {
		var right expr
		right, err = operand()
		x = &logic{op == "and", x, right}
	}
	return x, err
}

func (p *parser) not() (x expr, err error) {
	if !p.accept("not") {
		return p.comparison()
	}
	err = p.nested(func() error {
		x, err = p.not()
		x = &not{x}
		return err
	})
	return x, err
}

var comparisons = map[string]bool{"==": true, "!=": true, "<": true, "<=": true, ">": true, ">=": true, "in": true}

func (p *parser) comparison() (expr, error) {
	x, err := p.sum()
	c := &comparison{first: x}
	for err == nil {
		op := p.peek()
		if op.text == "not" && op.kind == tokenName && p.tokens[p.pos+1].text == "in" {
			p.pos++
			op.text = "not in"
		} else if !comparisons[op.text] || op.kind != tokenOperator && op.kind != tokenName {
			break
		}
		p.pos++
		x, err = p.sum()
		c.rest = append(c.rest, compared{op.text, x})
	}
	if len(c.rest) == 0 {
		return x, err
	}
	return c, err
}

// binary reads operands with these operators between them.
func (p *parser) binary(operand func() (expr, error), operators ...string) (expr, error) {
	x, err := operand()
	for err == nil {
		op := ""
		for _, o := range operators {
			if p.accept(o) {
				op = o
			}
		}
		if op == "" {
			break
		}
		var right expr
		right, err = operand()
		x = &binary{op, x, right}
	}
	return x, err
}

func (p *parser) sum() (expr, error)     { return p.binary(p.concat, "+", "-") }
func (p *parser) product() (expr, error) { return p.binary(p.operand, "*", "/", "//", "%") }
func (p *parser) operand() (expr, error) { return p.unary(true) }

func (p *parser) concat() (expr, error) {
	x, err := p.product()
	parts := []expr{x}
	for err == nil && p.accept("~") {
		x, err = p.product()
		parts = append(parts, x)
	}
	if len(parts) == 1 {
		return x, err
	}
	return concat(parts), err
}

func (p *parser) unary(filters bool) (x expr, err error) {
	switch {
	case p.is("-"), p.is("+"):
		op := p.next().text
		err = p.nested(func() error {
			x, err = p.unary(false)
			x = &unary{op, x}
			return err
		})
	default:
		x, err = p.primary()
	}
	if err == nil {
		x, err = p.postfix(x)
	}
	if err == nil && filters {
		x, err = p.filtersAndTests(x)
	}
	return x, err
}

var constants = map[string]Value{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

func (p *parser) primary() (expr, error) {
	switch t := p.next(); t.kind {
	case tokenName:
		if v, ok := constants[t.text]; ok {
			return constant{v}, nil
		}
		return variable(t.text), nil
	case tokenString:
		s := t.text
		for p.isKind(tokenString) {
			s += p.next().text
		}
		return constant{s}, nil
	case tokenInteger:
		n, err := strconv.ParseInt(t.text, 0, 64)
		if err != nil {
			n, err = strconv.ParseInt(t.text, 10, 64) // 00
		}
		if err != nil {
			return nil, fmt.Errorf("number %s is out of range", shorten(t.text))
		}
		return constant{n}, nil
	case tokenFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
		return constant{f}, nil
	default:
		switch t.text {
		case "(":
			return p.parentheses()
		case "[":
			items, err := p.list("]")
			return &sequence{items, listKind}, err
		case "{":
			return p.dict()
		}
		return nil, fmt.Errorf("%s where a value is expected", t)
	}
}

func (p *parser) parentheses() (expr, error) {
	if p.accept(")") {
		return &sequence{nil, tupleKind}, nil
	}
	x, err := p.tuple(true)
	if err != nil {
		return nil, err
	}
	return x, p.expect(")")
}

// list reads expressions up to the closing bracket.
func (p *parser) list(end string) (items []expr, err error) {
	for !p.accept(end) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.accept(end) {
				break
			}
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	return items, nil
}

func (p *parser) dict() (expr, error) {
	d := &dictionary{}
	for !p.accept("}") {
		if len(d.keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.accept("}") {
				break
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
	}
	return d, nil
}

// postfix reads attributes, items, slices and calls.
func (p *parser) postfix(x expr) (expr, error) {
	for {
		var err error
		switch {
		case p.accept("."):
			switch t := p.next(); t.kind {
			case tokenName:
				x = &attribute{x, t.text}
			case tokenInteger:
				n, err := strconv.ParseInt(t.text, 10, 64)
				if err != nil {
					return nil, err
				}
				x = &item{x, constant{n}}
			default:
				return nil, fmt.Errorf("%s where a name is expected", t)
			}
		case p.accept("["):
			x, err = p.subscript(x)
		case p.accept("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// subscript reads what is in brackets after x.
func (p *parser) subscript(x expr) (expr, error) {
	if p.accept("]") {
		return nil, errors.New("empty brackets after a value")
	}
	s := &slice{of: x}
	colons := 0
	for _, bound := range []*expr{&s.from, &s.to, &s.step} {
		if !p.is(":") && !p.is("]") {
			var err error
			if *bound, err = p.expression(); err != nil {
				return nil, err
			}
		}
		if !p.accept(":") {
			break
		}
		colons++
	}
	if err := p.expect("]"); err != nil {
		return nil, err
	}
	if colons == 0 {
		return &item{x, s.from}, nil
	}
	return s, nil
}

// call reads arguments.
func (p *parser) call(f expr) (expr, error) {
	args, err := p.arguments()
	return &call{f, args}, err
}

// arguments reads those after an opening parenthesis.
func (p *parser) arguments() (arguments, error) {
	var a arguments
	for first := true; !p.accept(")"); first = false {
		if !first {
			if err := p.expect(","); err != nil {
				return a, err
			}
			if p.accept(")") {
				break
			}
		}
		var err error
		switch {
		case p.accept("*"):
			a.rest, err = p.expression()
		case p.accept("**"):
			a.restNamed, err = p.expression()
		case p.isKind(tokenName) && p.tokens[p.pos+1].kind == tokenOperator && p.tokens[p.pos+1].text == "=":
			a.names = append(a.names, p.next().text)
			p.pos++
			var x expr
			x, err = p.expression()
			a.named = append(a.named, x)
		default:
			var x expr
			x, err = p.expression()
			if len(a.names) > 0 {
				return a, errors.New("an argument without a name after one with a name")
			}
			a.values = append(a.values, x)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// filtersAndTests reads what may follow a value.
func (p *parser) filtersAndTests(x expr) (expr, error) {
	for {
		var err error
		switch {
		case p.is("|"):
			x, err = p.filterChain(x)
		case p.accept("is"):
			x, err = p.test(x)
		case p.accept("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// filterChain reads filters, each after its operator. x is what the first one gets.
func (p *parser) filterChain(x expr) (expr, error) {
	for p.accept("|") {
		name, err := p.dotted()
		if err != nil {
			return nil, err
		}
		f := &filter{of: x, name: name}
		if p.accept("(") {
			if f.args, err = p.arguments(); err != nil {
				return nil, err
			}
		}
		x = f
	}
	return x, nil
}

func (p *parser) test(x expr) (expr, error) {
	negated := p.accept("not")
	name, err := p.dotted()
	if err != nil {
		return nil, err
	}
	t := &test{of: x, name: name}
	switch next := p.peek(); {
	case p.accept("("):
		t.args, err = p.arguments()
	case p.is("else"), p.is("or"), p.is("and"):
	case p.is("is"):
		return nil, errors.New("a test of a test")
	case next.kind == tokenName || next.kind == tokenString || next.kind == tokenInteger || next.kind == tokenFloat || p.is("(") || p.is("[") || p.is("{"):
		var arg expr
		if arg, err = p.primary(); err == nil {
			arg, err = p.postfix(arg)
		}
		t.args.values = []expr{arg}
	}
	if negated {
		return &not{t}, err
	}
	return t, err
}
