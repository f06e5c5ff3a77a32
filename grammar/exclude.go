package grammar

import (
	"fmt"
	"slices"
)

// exclusive fails unless no value that is written for one branch of "oneOf" satisfies another one. The shapes of each branch are a group. If it
// returns a property, that must be written for it: it tells the branches apart, and has a default in some. places are those of the branches in the schema.
func (c *compiler) exclusive(groups [][]*shape, places []int) (property string, err error) {
	told, property := c.discriminated(groups)
	if required(groups, told, property) {
		property = ""
	}
	var all, untold []int
	for i := range groups {
		if all = append(all, i); !told[i] {
			untold = append(untold, i)
		}
	}
	for i, group := range groups {
		others := all
		if told[i] {
			others = untold
		}
		for _, j := range others {
			if i == j {
				continue
			}
			for _, a := range group {
				for _, b := range groups[j] {
					switch ok := c.excludes(a, b, 0); {
					case c.work.err != nil:
						return "", c.work.err
					case !ok:
						return "", fmt.Errorf("oneOf: a value could satisfy branch %d and branch %d, unless a property with different constants tells them apart: %w",
							places[min(i, j)], places[max(i, j)], ErrUnsupported)
					}
				}
			}
		}
	}
	return property, nil
}

// required reports whether the shapes of the branches that a property tells apart require it.
func required(groups [][]*shape, told []bool, property string) bool {
	for i, group := range groups {
		if told[i] && slices.ContainsFunc(group, func(s *shape) bool { return !slices.Contains(s.required, property) }) {
			return false
		}
	}
	return true
}

// discriminated returns which branches are told apart from each other by a property that has other constants in each, and the property. There may be
// thousands, too many to compare each with each.
func (c *compiler) discriminated(groups [][]*shape) (told []bool, property string) {
	told = make([]bool, len(groups))
	first := -1
	for i, group := range groups {
		told[i] = !slices.ContainsFunc(group, func(s *shape) bool { return s.listed || s.written() != objectType || s.impossible != "" })
		if told[i] && first < 0 && len(group) > 0 {
			first = i
		}
	}
	if first >= 0 {
		if o, err := c.object(groups[first][0]); err == nil {
			for _, name := range groups[first][0].required {
				if c.tells(name, groups, told) {
					return told, name
				}
			}
			for _, m := range o.listed {
				if m.allowed && c.tells(m.name, groups, told) {
					return told, m.name
				}
			}
		}
	}
	return make([]bool, len(groups)), ""
}

// tells reports whether a property has other constants in each of some branches.
func (c *compiler) tells(property string, groups [][]*shape, which []bool) bool {
	branches := map[string]int{}
	for i, group := range groups {
		for _, s := range group {
			if which[i] && !c.constants(s, property, i, branches) {
				return false
			}
		}
	}
	return true
}

// constants notes the branch of the constants of a property, and reports whether it has some that no other branch has.
func (c *compiler) constants(s *shape, name string, branch int, branches map[string]int) bool {
	of, err := c.membersOf(s, name)
	if err != nil || len(of) == 0 {
		return false
	}
	shapes, err := c.alternatives(of)
	if err != nil {
		return false
	}
	for _, property := range shapes {
		if !property.listed {
			return false
		}
		for key := range property.set {
			if other, ok := branches[key]; ok && other != branch {
				return false
			}
			branches[key] = branch
		}
	}
	return true
}

// compareSteps are those of comparing two shapes.
const compareSteps = 64

// maxCompared is the depth to which the members of members are compared.
const maxCompared = 4

// excludes reports whether no value that is written for a satisfies b. It may say no where none does.
func (c *compiler) excludes(a, b *shape, depth int) bool {
	if !c.work.do(compareSteps) || depth > maxCompared {
		return false
	}
	common := a.written() & b.types
	switch {
	case a.impossible != "" || b.impossible != "":
		return true
	case a.listed:
		return c.noneSatisfies(a.values, b)
	case b.listed:
		return c.noneSatisfies(b.values, a)
	case common&(nullType|booleanType) != 0:
		return false
	case common&numberType != 0 && !a.numbers.apart(&b.numbers):
		return false
	case common&stringType != 0 && !a.length.apart(b.length):
		return false
	case common&arrayType != 0 && !a.items.apart(b.items):
		return false
	}
	return common&objectType == 0 || a.members.apart(b.members) || c.membersExclude(a, b, depth+1)
}

// noneSatisfies reports whether none of some values has a shape.
func (c *compiler) noneSatisfies(values []*value, s *shape) bool {
	for _, v := range values {
		satisfied := v.types()&s.types != 0
		for _, schema := range s.schemas {
			ok, err := c.satisfies(v, schema, 0)
			satisfied = satisfied && (ok || err != nil)
		}
		if satisfied {
			return false
		}
	}
	return true
}

// apart reports whether no count is in both ranges.
func (c counts) apart(d counts) bool {
	return counts{max(c.least, d.least), c.most}.empty() || counts{max(c.least, d.least), d.most}.empty()
}

// apart reports whether no number is in both ranges.
func (n *numbers) apart(m *numbers) bool {
	beyond := func(high, low bound) bool {
		if high.at == nil || low.at == nil {
			return false
		}
		order := high.at.Cmp(low.at)
		return order < 0 || order == 0 && (high.open || low.open)
	}
	return beyond(n.high, m.low) || beyond(m.high, n.low)
}

// membersExclude reports whether no object that is written for a satisfies b: a never writes what b wants, or has what b does not allow.
func (c *compiler) membersExclude(a, b *shape, depth int) bool {
	written, err := c.object(a)
	if err != nil || written.impossible != "" {
		return err == nil
	}
	for _, name := range b.required {
		if !written.has(name) {
			return true
		}
	}
	for _, name := range slices.Concat(a.required, b.required) {
		if !c.work.do(compareSteps) {
			return false
		}
		theirs, err := c.membersOf(b, name)
		if err != nil {
			return false
		}
		if theirs.never() {
			return true
		}
		if ours := written.find(name); ours != nil && ours.allowed && c.allExclude(ours.of, theirs, depth) {
			return true
		}
	}
	return false
}

// allExclude reports whether no value that is written for some schemas satisfies others.
func (c *compiler) allExclude(a, b conjunction, depth int) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	written, errA := c.alternatives(a)
	wanted, errB := c.alternatives(b)
	if errA != nil || errB != nil {
		return false
	}
	for _, x := range written {
		for _, y := range wanted {
			if !c.excludes(x, y, depth) {
				return false
			}
		}
	}
	return true
}
