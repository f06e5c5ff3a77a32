package jinja

import (
	"errors"
	"fmt"
)

// globals are the functions that every template has.
var globals = map[string]builtin{"dict": newDict, "namespace": newNamespace, "range": newRange}

func newDict(r *run, a Args) (Value, error) {
	d, err := merged(a)
	if err != nil {
		return nil, err
	}
	return d, r.alloc(3 * perValue * d.Len())
}

// merged returns the dictionary of dict's and namespace's arguments.
func merged(a Args) (*Dict, error) {
	d := NewDict()
	for _, v := range a.Values {
		pairs := []Value(nil)
		switch v := v.(type) {
		case *Dict:
			pairs = v.pairs()
		case *Seq:
			pairs = v.Items
		default:
			return nil, fmt.Errorf("a dict of a %s", typeName(v))
		}
		for _, pair := range pairs {
			p, ok := pair.(*Seq)
			if !ok || len(p.Items) != 2 {
				return nil, errors.New("a dict of what are no pairs")
			}
			if err := d.set(p.Items[0], p.Items[1]); err != nil {
				return nil, err
			}
		}
	}
	for i, name := range a.Names {
		if err := d.set(name, a.Named[i]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func newNamespace(r *run, a Args) (Value, error) {
	d, err := merged(a)
	if err != nil {
		return nil, err
	}
	ns := &namespace{attributes: make(map[string]Value, d.Len())}
	for i, key := range d.keys {
		if name, ok := stringOf(key); ok {
			ns.attributes[name] = d.values[i]
		}
	}
	return ns, r.alloc(3 * perValue * d.Len())
}

// maxRange is the most numbers that range gives, as in Jinja2's sandbox.
const maxRange = 100_000

func newRange(r *run, a Args) (Value, error) {
	bounds := []int64{0, 0, 1} // start, stop, step
	n := len(a.Values)
	if n == 0 || n > len(bounds) || len(a.Names) > 0 {
		return nil, errors.New("range takes one to three numbers")
	}
	for i, v := range a.Values {
		if n == 1 {
			i = 1
		}
		var err error
		if bounds[i], err = wantInteger(v); err != nil {
			return nil, err
		}
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, errors.New("range with step 0")
	}
	s := &Seq{kind: rangeKind, name: fmt.Sprintf("range(%d, %d)", start, stop)}
	if step != 1 {
		s.name = fmt.Sprintf("range(%d, %d, %d)", start, stop, step)
	}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(s.Items) == maxRange {
			return nil, fmt.Errorf("%w: range of more than %d numbers", ErrLimit, maxRange)
		}
		s.Items = append(s.Items, i)
		if next := i + step; (next > i) != (step > 0) {
			break
		}
	}
	return s, r.alloc(perValue * len(s.Items))
}
