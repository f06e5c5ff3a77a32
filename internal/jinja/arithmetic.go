package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
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
	if isInt && bothInt && op != "/" && (op != "**" || n >= 0) {
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
	case "**":
		if a == 0 || a == 1 || a == -1 {
			b = min(b, 2-b%2) // its parity is all that counts
			if b == 0 {
				return int64(1), nil
			}
		}
		var power Value = int64(1)
		for ; b > 0; b-- {
			var err error
			if power, err = integers("*", power.(int64), a); err != nil {
				return nil, err
			}
		}
		return power, nil
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
	case "**":
		c := math.Pow(a, b)
		switch {
		case a == 0 && b < 0:
			return nil, errors.New("division by zero")
		case math.IsNaN(c) && !math.IsNaN(a) && !math.IsNaN(b), math.IsInf(c, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0):
			return nil, errRange
		}
		return c, nil
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

// percent is format % values of Python.
func (r *run) percent(format string, values Value) (string, error) {
	args := []Value{values}
	tuple, _ := values.(*Seq)
	if tuple != nil && tuple.kind == tupleKind {
		args = tuple.Items
	}
	dict, _ := values.(*Dict)
	var b strings.Builder
	used := 0
	next := func() (Value, error) {
		if used++; used > len(args) {
			return nil, errors.New("not enough values for a format")
		}
		return args[used-1], nil
	}
	for format != "" {
		before, rest, ok := strings.Cut(format, "%")
		b.WriteString(before)
		if !ok {
			break
		}
		var s spec
		var err error
		var v Value
		named := false
		if name, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")"); ok && strings.HasPrefix(rest, "(") {
			if dict == nil {
				return "", errors.New("a format with a name needs a dict")
			}
			if v, named = dict.Get(name); !named {
				return "", fmt.Errorf("a format names %q, which the dict has not", shorten(name))
			}
			rest = after
		}
		if rest, err = s.parse(rest, next); err != nil {
			return "", err
		}
		if rest == "" {
			return "", errors.New("a format without an end")
		}
		s.verb, format = rest[0], rest[1:]
		if s.verb == '%' {
			b.WriteByte('%')
			continue
		}
		if !named {
			if v, err = next(); err != nil {
				return "", err
			}
		}
		text, err := s.format(r, v)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if mapping := dict != nil || is[*undefined](values) || tuple != nil && tuple.kind != tupleKind; used < len(args) && !mapping {
		return "", errors.New("too many values for a format")
	}
	return b.String(), r.alloc(b.Len())
}

// spec is what stands between % and the letter of a format.
type spec struct {
	left, zero, plus, blank, alternate bool
	width, precision                   int64 // precision −1: none
	verb                               byte
}

// parse reads flags, width and precision, and returns what is left. next gives the value that a * stands for.
func (s *spec) parse(format string, next func() (Value, error)) (string, error) {
	flags := map[byte]*bool{'-': &s.left, '0': &s.zero, '+': &s.plus, ' ': &s.blank, '#': &s.alternate}
	for format != "" && flags[format[0]] != nil {
		*flags[format[0]] = true
		format = format[1:]
	}
	number := func(n *int64) error {
		if strings.HasPrefix(format, "*") {
			format = format[1:]
			v, err := next()
			if err != nil {
				return err
			}
			var ok bool
			if *n, ok = integer(v); !ok {
				return errors.New("a width that is no integer")
			}
			if *n < 0 {
				s.left, *n = true, -*n
			}
		}
		for format != "" && format[0] >= '0' && format[0] <= '9' && *n < 1<<20 {
			*n = *n*10 + int64(format[0]-'0')
			format = format[1:]
		}
		if *n >= 1<<20 || *n < 0 {
			return fmt.Errorf("%w: the width of a format", ErrLimit)
		}
		return nil
	}
	s.precision = -1
	if err := number(&s.width); err != nil {
		return "", err
	}
	if strings.HasPrefix(format, ".") {
		format = format[1:]
		s.precision = 0
		if err := number(&s.precision); err != nil {
			return "", err
		}
	}
	return strings.TrimLeft(format, "hlL"), nil
}

// format returns v as the letter asks for.
func (s *spec) format(r *run, v Value) (text string, err error) {
	if err := r.alloc(int(s.width + max(s.precision, 0))); err != nil {
		return "", err
	}
	sign := ""
	switch s.verb {
	case 's', 'r', 'a':
		if text, err = r.text(v); err != nil {
			return "", err
		}
		if s.verb != 's' {
			p := printer{run: r}
			if err = p.repr(v, 0); err != nil {
				return "", err
			}
			text = p.String()
		}
		if err = r.read(len(text)); err != nil {
			return "", err
		}
		for i := range text {
			if s.precision == 0 {
				text = text[:i]
				break
			}
			s.precision--
		}
	case 'c':
		n, ok := integer(v)
		if text, _ = stringOf(v); ok {
			text = string(rune(n))
		}
		if utf8.RuneCountInString(text) != 1 {
			return "", errors.New("%c needs a character")
		}
	case 'd', 'i', 'u', 'x', 'X', 'o':
		n, ok := integer(v)
		if f, isFloat := v.(float64); isFloat && strings.IndexByte("diu", s.verb) >= 0 && math.Abs(f) < 1<<63 {
			n, ok = int64(f), true
		}
		if !ok {
			return "", fmt.Errorf("%%%c needs a number, not a %s", s.verb, typeName(v))
		}
		base, prefix := 10, ""
		switch s.verb {
		case 'x', 'X':
			base, prefix = 16, "0x"
		case 'o':
			base, prefix = 8, "0o"
		}
		text = strings.TrimPrefix(strconv.FormatInt(n, base), "-")
		if missing := int(s.precision) - len(text); missing > 0 {
			text = strings.Repeat("0", missing) + text
		}
		if s.alternate {
			text = prefix + text
		}
		if s.verb == 'X' {
			text = strings.ToUpper(text)
		}
		sign = s.sign(n < 0)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		f, ok := number(v)
		if !ok {
			return "", fmt.Errorf("%%%c needs a number, not a %s", s.verb, typeName(v))
		}
		text = s.float(math.Abs(f))
		sign = s.sign(math.Signbit(f))
	default:
		return "", fmt.Errorf("a format with %q, which is not known", s.verb)
	}
	missing := max(0, int(s.width)-utf8.RuneCountInString(sign+text))
	switch {
	case s.left:
		return sign + text + strings.Repeat(" ", missing), nil
	case s.zero && strings.IndexByte("srac", s.verb) < 0:
		return sign + strings.Repeat("0", missing) + text, nil
	}
	return strings.Repeat(" ", missing) + sign + text, nil
}

func (s *spec) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case s.plus:
		return "+"
	case s.blank:
		return " "
	}
	return ""
}

// float returns a number that is not negative as %f, %e or %g.
func (s *spec) float(f float64) string {
	precision := int(s.precision)
	if precision < 0 {
		precision = 6
	}
	lower := s.verb | 0x20
	var text string
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		text = formatFloat(f)
	case lower != 'g':
		text = strconv.FormatFloat(f, lower, precision, 64)
	default:
		precision = max(precision, 1)
		exponential := strconv.FormatFloat(f, 'e', precision-1, 64)
		digits, exponent, _ := strings.Cut(exponential, "e")
		power, _ := strconv.Atoi(exponent) // FormatFloat wrote it
		trim := func(s string) string {
			if strings.Contains(s, ".") {
				s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
			}
			return s
		}
		if power < -4 || power >= precision {
			text = trim(digits) + "e" + exponent
		} else {
			text = trim(strconv.FormatFloat(f, 'f', precision-1-power, 64))
		}
	}
	if s.verb < 'a' {
		text = strings.ToUpper(text)
	}
	return text
}
