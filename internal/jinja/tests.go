package jinja

import "fmt"

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
		"defined":   plain(func(v Value) bool { return !is[*undefined](v) }),
		"false":     plain(func(v Value) bool { return v == false }),
		"float":     plain(is[float64]),
		"integer":   plain(is[int64]),
		"iterable":  plain(func(v Value) bool { return iterable(v) || is[*Seq](v) }),
		"mapping":   plain(is[*Dict]),
		"none":      plain(func(v Value) bool { return v == nil }),
		"number":    plain(func(v Value) bool { _, ok := number(v); return ok }),
		"sequence":  plain(func(v Value) bool { s, ok := v.(*Seq); return ok && s.indexed() || iterable(v) }),
		"string":    plain(func(v Value) bool { _, ok := stringOf(v); return ok }),
		"true":      plain(func(v Value) bool { return v == true }),
		"undefined": plain(is[*undefined]),

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
	}
}

// iterable reports whether v, which is no [Seq], has items.
func iterable(v Value) bool {
	_, ok := stringOf(v)
	return ok || is[*Dict](v) || is[*undefined](v) || is[*loop](v)
}
