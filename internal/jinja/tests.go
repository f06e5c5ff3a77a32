package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// testFunc tells whether a test holds for v with its arguments.
type testFunc struct {
	params params
	holds  func(r *run, v Value, a []Value) (bool, error)
}

var tests map[string]testFunc

func (r *run) test(name string, v Value, a Args) (Value, error) {
	t, ok := tests[name]
	if !ok {
		return nil, fmt.Errorf("no test named %q", shorten(name))
	}
	values, err := t.params.bind("test "+name, a)
	if err != nil {
		return nil, err
	}
	ok, err = t.holds(r, v, values)
	return ok, err
}

// plain makes a test of a condition.
func plain(holds func(v Value) bool) testFunc {
	return testFunc{nil, func(_ *run, v Value, _ []Value) (bool, error) { return holds(v), nil }}
}

// comparing makes a test of an operator.
func comparing(op string) testFunc {
	return testFunc{named("other"), func(r *run, v Value, a []Value) (bool, error) { return r.compare(op, v, a[0]) }}
}

// dividing makes a test of the rest of a division.
func dividing(by, rest int64) testFunc {
	return testFunc{nil, func(r *run, v Value, _ []Value) (bool, error) {
		left, err := r.arithmetic("%", v, by)
		if err != nil {
			return false, err
		}
		return r.equal(left, rest, 0)
	}}
}

func is[T any](v Value) bool {
	_, ok := v.(T)
	return ok
}

func init() { // which the functions refer to
	tests = map[string]testFunc{
		"boolean":   plain(is[bool]),
		"callable":  plain(func(v Value) bool { return typeName(v) == "function" || is[*loop](v) || is[*undefined](v) }),
		"defined":   plain(func(v Value) bool { return !is[*undefined](v) }),
		"escaped":   plain(is[markup]),
		"false":     plain(func(v Value) bool { return v == false }),
		"filter":    plain(func(v Value) bool { s, _ := stringOf(v); return filters[s].apply != nil || openFilters[s] != nil }),
		"float":     plain(is[float64]),
		"integer":   plain(is[int64]),
		"iterable":  plain(func(v Value) bool { return iterable(v) || is[*Seq](v) }),
		"mapping":   plain(is[*Dict]),
		"none":      plain(func(v Value) bool { return v == nil }),
		"number":    plain(func(v Value) bool { _, ok := number(v); return ok }),
		"sequence":  plain(func(v Value) bool { s, ok := v.(*Seq); return ok && s.indexed() || iterable(v) }),
		"string":    plain(func(v Value) bool { _, ok := stringOf(v); return ok }),
		"test":      plain(func(v Value) bool { s, _ := stringOf(v); return tests[s].holds != nil }),
		"true":      plain(func(v Value) bool { return v == true }),
		"undefined": plain(is[*undefined]),

		"lower": casing(unicode.IsLower, unicode.IsUpper), "upper": casing(unicode.IsUpper, unicode.IsLower),

		"==": comparing("=="), "eq": comparing("=="), "equalto": comparing("=="),
		"!=": comparing("!="), "ne": comparing("!="),
		"<": comparing("<"), "lt": comparing("<"), "lessthan": comparing("<"),
		"<=": comparing("<="), "le": comparing("<="),
		">": comparing(">"), "gt": comparing(">"), "greaterthan": comparing(">"),
		">=": comparing(">="), "ge": comparing(">="),
		"in": comparing("in"),

		"even": dividing(2, 0), "odd": dividing(2, 1),
		"divisibleby": {named("num"), func(r *run, v Value, a []Value) (bool, error) {
			left, err := r.arithmetic("%", v, a[0])
			return err == nil && !truth(left), err
		}},
		"sameas": {named("other"), func(r *run, v Value, a []Value) (bool, error) {
			if is[Func](v) || is[builtin](v) {
				return false, errors.New("functions cannot be compared")
			}
			if typeName(v) != typeName(a[0]) {
				return false, nil
			}
			if is[*Seq](v) || is[*Dict](v) || is[*undefined](v) || typeName(v) == "function" {
				return v == a[0], nil
			}
			return r.equal(v, a[0], 0)
		}},
	}
}

// iterable reports whether v, which is no [Seq], has items.
func iterable(v Value) bool {
	_, ok := stringOf(v)
	return ok || is[*Dict](v) || is[*undefined](v) || is[*loop](v)
}

// casing makes a test of the letters of a value's text.
func casing(want, other func(rune) bool) testFunc {
	return testFunc{nil, func(r *run, v Value, _ []Value) (bool, error) {
		s, err := r.text(v)
		return cased(s, want, other), err
	}}
}

// cased reports whether s has letters of one case and none of the other.
func cased(s string, want, other func(rune) bool) bool {
	return strings.ContainsFunc(s, want) && !strings.ContainsFunc(s, func(c rune) bool { return other(c) || unicode.IsTitle(c) })
}
