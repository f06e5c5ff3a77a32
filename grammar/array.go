package grammar

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/lever-go/lever/internal/plural"
)

// maxSet is the number of values of which arrays without repetition are written: all sets of them are told apart.
const maxSet = 8

// itemsOf returns the schemas of an item.
func (c *compiler) itemsOf(s *shape, i int) (all conjunction, err error) {
	for _, schema := range s.schemas {
		if of := itemOf(schema, i); of != nil && err == nil {
			all, err = c.add(all, of)
		}
	}
	return all, err
}

// arrays takes an array of a shape. Beyond the items that have schemas of their own there are others only if a schema says something about them,
// or about no item at all.
func (c *compiler) arrays(from int32, s *shape, at *path) (int32, error) {
	var first []func(from int32) int32
	prefix, said, count := 0, false, s.items.written()
	for _, schema := range s.schemas {
		own := len(prefixOf(schema))
		prefix, said = max(prefix, own), said || itemOf(schema, own) != nil
	}
	rest, err := c.itemsOf(s, prefix)
	if err != nil {
		return 0, err
	}
	switch limited := count.most >= 0 && count.most <= prefix; {
	case limited:
	case rest.never():
		count.most = prefix
	case s.sealed&arrayType != 0 && !said:
		count.most = prefix
	case prefix > 0 && !said:
		count.most = max(prefix, count.least)
	}
	switch {
	case count.empty():
		return c.none(at, fmt.Sprintf("from %d to %s: no value satisfies that", count.least, plural.Of(count.most, "item"))), nil
	case s.unique && (count.most < 0 || count.most > 1):
		return c.uniqueItems(from, rest, prefix, count)
	}
	for i := range prefix {
		of, itemErr := c.itemsOf(s, i)
		err = cmp.Or(err, itemErr)
		first = append(first, c.item(of, at.in("prefixItems", strconv.Itoa(i)), &err))
	}
	to := c.array(from, first, c.item(rest, at.in("items"), &err), count)
	return to, err
}

// item returns what takes a value of some schemas. An error goes to failed, unless it has one.
func (c *compiler) item(of conjunction, at *path, failed *error) func(from int32) int32 {
	return func(from int32) int32 {
		to, err := c.value(from, of, at)
		*failed = cmp.Or(*failed, err)
		return to
	}
}

// uniqueItems takes an array of different items.
func (c *compiler) uniqueItems(from int32, of conjunction, prefix int, count counts) (int32, error) {
	texts, ok, err := c.enumerated(of)
	if err != nil {
		return 0, err
	}
	if !ok || prefix > 0 || len(texts) > maxSet {
		return 0, fmt.Errorf("uniqueItems, unless the items are at most %d listed values: %w", maxSet, ErrUnsupported)
	}
	return c.set(from, texts, count), nil
}

// enumerated returns the texts of the values that satisfy some schemas, if these list them.
func (c *compiler) enumerated(of conjunction) (texts []string, ok bool, err error) {
	shapes, err := c.alternatives(of)
	if err != nil {
		return nil, false, err
	}
	seen := map[string]bool{}
	for _, s := range shapes {
		values := s.values
		switch {
		case s.impossible != "":
			continue
		case s.listed:
		case s.types == booleanType:
			values = []*value{{kind: trueKind}, {kind: falseKind}}
		default:
			return nil, false, nil
		}
		for _, v := range values {
			if !seen[v.canonical()] {
				seen[v.canonical()] = true
				texts = append(texts, v.spelled(c.layout))
			}
		}
	}
	return texts, true, nil
}
