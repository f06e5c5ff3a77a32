package jinja

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

var errRange = errors.New("a number is out of range")

// arithmetic applies an operator of two operands.
func (r *run) arithmetic(op string, a, b Value) (Value, error) {
	if s, ok := stringOf(a); ok && op == "%" {
		text, err := r.percent(s, b)
		return remarked(text, is[markup](a)), err
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			return nil, u.fault()
		}
	}
	if v, err := r.joined(op, a, b); v != nil || err != nil {
		return v, err
	}
	m, isInt := integer(a)
	n, bothInt := integer(b)
	if isInt && bothInt && op != "/" {
		return integers(op, m, n)
	}
	x, isNumber := number(a)
	y, both := number(b)
	if !isNumber || !both {
		return nil, fmt.Errorf("%s between a %s and a %s", op, typeName(a), typeName(b))
	}
	return floats(op, x, y)
}

// joined is + and * of strings and sequences; nil if the operands are none.
func (r *run) joined(op string, a, b Value) (Value, error) {
	if op == "*" {
		if _, ok := integer(a); ok {
			a, b = b, a
		}
		n, ok := integer(b)
		s, isString := stringOf(a)
		seq, isSeq := a.(*Seq)
		switch {
		case ok && isString:
			return r.repeated(s, n)
		case ok && isSeq && seq.kind <= tupleKind:
			n = max(n, 0)
			if len(seq.Items) > 0 && n > math.MaxInt32/int64(len(seq.Items)) {
				return nil, fmt.Errorf("%w: a list of %d times %d items", ErrLimit, n, len(seq.Items))
			}
			if err := r.alloc(perValue * int(n) * len(seq.Items)); err != nil {
				return nil, err
			}
			out := &Seq{kind: seq.kind}
			for range n * int64(min(len(seq.Items), 1)) {
				out.Items = append(out.Items, seq.Items...)
			}
			return out, nil
		}
	}
	if op != "+" {
		return nil, nil
	}
	if s, ok := stringOf(a); ok {
		t, ok := stringOf(b)
		if !ok {
			return nil, nil
		}
		_, safeA := a.(markup)
		_, safeB := b.(markup)
		if safeA != safeB {
			if safeA {
				t = escaper.Replace(t)
			} else {
				s = escaper.Replace(s)
			}
		}
		return remarked(s+t, safeA || safeB), r.alloc(len(s) + len(t))
	}
	s, ok := a.(*Seq)
	t, also := b.(*Seq)
	if !ok || !also || s.kind != t.kind || s.kind > tupleKind {
		return nil, nil
	}
	if err := r.alloc(perValue * (len(s.Items) + len(t.Items))); err != nil {
		return nil, err
	}
	items := make([]Value, 0, len(s.Items)+len(t.Items))
	return &Seq{Items: append(append(items, s.Items...), t.Items...), kind: s.kind}, nil
}

// remarked returns s as markup if it is safe.
func remarked(s string, safe bool) Value {
	if safe {
		return markup(s)
	}
	return s
}

func (r *run) repeated(s string, n int64) (Value, error) {
	n = max(n, 0)
	if len(s) > 0 && n > math.MaxInt32/int64(len(s)) {
		return nil, fmt.Errorf("%w: a string of %d times %d bytes", ErrLimit, n, len(s))
	}
	if err := r.alloc(int(n) * len(s)); err != nil {
		return nil, err
	}
	if s == "" {
		n = 0
	}
	return strings.Repeat(s, int(n)), nil
}

func integers(op string, a, b int64) (Value, error) {
	switch op {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
	case "*":
		if c := a * b; a == 0 || c/a == b && (a != -1 || b != math.MinInt64) {
			return c, nil
		}
	case "//", "%":
		if b == 0 {
			return nil, errors.New("division by zero")
		}
		if b == -1 { // the one quotient out of range is that of the least number
			if op == "%" {
				return int64(0), nil
			}
			return integers("*", a, -1)
		}
		quotient, rest := a/b, a%b
		if rest != 0 && (rest < 0) != (b < 0) {
			quotient, rest = quotient-1, rest+b
		}
		if op == "//" {
			return quotient, nil
		}
		return rest, nil
	}
	return nil, errRange
}

func floats(op string, a, b float64) (Value, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	}
	if b == 0 {
		return nil, errors.New("division by zero")
	}
	if op == "/" {
		return a / b, nil
	}
	rest := math.Mod(a, b)
	quotient := (a - rest) / b
	if rest != 0 && (rest < 0) != (b < 0) {
		rest, quotient = rest+b, quotient-1
	}
	if op == "%" {
		if rest == 0 {
			rest = math.Copysign(0, b)
		}
		return rest, nil
	}
	if quotient != 0 {
		if floor := math.Floor(quotient); quotient-floor > 0.5 {
			quotient = floor + 1
		} else {
			quotient = floor
		}
	} else {
		quotient = math.Copysign(0, a/b)
	}
	return quotient, nil
}
