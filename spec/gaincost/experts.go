package gaincost

import (
	"math/bits"

	"github.com/lever-go/lever/spec"
)

// coldExperts learns what experts that are not in memory add to a pass: how many of them a row needs that no row before it needs too, and how long
// the pass waits for each. Which experts those are is known only once a layer's router has spoken, so that nothing but the experts of the same layer
// that are in memory can be computed meanwhile: all later reading and computing is put off, and the wait adds to the time of the pipeline.
//
// Rows share experts the more, the more of them there are; and those of one path share others than siblings do, which stand at one position.
// Hence there is an average by kind and by the number of rows before, and each leans on that of fewer rows as long as little was seen.
type coldExperts struct {
	first mean                // of the first row
	more  [2][rowBands]mean   // of another row: a first child, a later one; by the binary logarithm of the rows before it
	wait  [rowBands + 1]ratio // seconds by experts that were read, by the binary logarithm of the rows of the pass
}

const rowBands = 6

// mean is an average that follows what it is made of; it starts from the average of all.
type mean struct{ value, count float64 }

func (m *mean) add(x float64) {
	const most = 30
	m.count = min(m.count+1, most)
	m.value += (x - m.value) / m.count
}

// over returns the average, which counts as much as so many observations of x more would have it.
func (m *mean) over(x float64) float64 {
	const prior = 2
	return (m.value*m.count + x*prior) / (m.count + prior)
}

// ratio is one of two sums that fade.
type ratio struct{ over, under float64 }

func (r *ratio) add(over, under float64) {
	const keep = 0.9
	r.over, r.under = keep*r.over+over, keep*r.under+under
}

// row returns how many experts have to be read for a row after the given number of others that go before it in the tree.
func (c *coldExperts) row(before int, sibling bool) float64 {
	if before == 0 {
		return c.first.value
	}
	if c.first.value == 0 {
		return 0
	}
	const usual = 0.7 // of what the first row reads, as long as nothing is known
	kind := 0
	if sibling {
		kind = 1
	}
	reads := usual * c.first.value
	for band := range min(bits.Len(uint(before)), rowBands) {
		reads = c.more[kind][band].over(reads)
	}
	return reads
}

// each returns the seconds that a pass of so many rows waits for an expert.
func (c *coldExperts) each(rows int) float64 {
	all, own := ratio{}, c.wait[min(bits.Len(uint(rows-1)), rowBands)]
	for _, r := range c.wait {
		all = ratio{all.over + r.over, all.under + r.under}
	}
	if all.under == 0 {
		return 0
	}
	const prior = 0.5 // passes of so many reads
	lean := prior * c.first.value
	return (own.over + lean*all.over/all.under) / (own.under + lean)
}

// observe takes in a pass over a tree alone.
func (c *coldExperts) observe(o *spec.Observation) {
	if o.Cold == nil || o.Lead > 0 || len(o.Cuts) > 0 {
		return
	}
	total := 0
	for node, cold := range o.Cold {
		total += cold
		if node == 0 {
			c.first.add(float64(cold))
			continue
		}
		kind := 0
		if isSibling(o.Tree, node) {
			kind = 1
		}
		c.more[kind][min(bits.Len(uint(node)), rowBands)-1].add(float64(cold))
	}
	if total > 0 {
		c.wait[min(bits.Len(uint(o.Tree.Len()-1)), rowBands)].add(o.IO.ExpertWaitSeconds, float64(total))
	}
}

// isSibling reports whether a node's parent has a child before it.
func isSibling(t *spec.Tree, node int) bool {
	for child := range t.Children(int(t.Parents()[node])) {
		return child != node
	}
	return false
}

// chain returns the experts that are read for a path of rows.
func (c *coldExperts) chain(rows int) (reads float64) {
	for before := range rows {
		reads += c.row(before, false)
	}
	return reads
}

// tree returns those that are read for a tree.
func (c *coldExperts) tree(t *spec.Tree) float64 {
	reads := c.first.value
	for node := 1; node < t.Len(); node++ {
		reads += c.row(node, isSibling(t, node))
	}
	return reads
}

// pruned returns those that are read for the given number of rows, of a tree that needs so many reads, of which only the rows that cuts tell of go on.
func (c *coldExperts) pruned(reads float64, rows int, cuts []spec.Cut) (left float64) {
	from, part := 0.0, reads
	for _, cut := range cuts {
		left += (cut.Done - from) * part
		from, part = cut.Done, c.first.value+(reads-c.first.value)*float64(cut.Rows-1)/float64(max(rows-1, 1))
	}
	return left + (1-from)*part
}
