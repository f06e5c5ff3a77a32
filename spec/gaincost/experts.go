package gaincost

import (
	"math/bits"

	"github.com/lever-go/lever/spec"
)

// coldExperts learns what experts that are not in memory add to a pass: how many of them a row needs that no row before it needs too, and how long
// the pass waits for each. Which experts those are is known only once a layer's router has spoken, so that nothing but the experts of the same layer
// that are in memory can be computed meanwhile: all later reading and computing is put off, and the wait adds to the time of the pipeline.
//
// What is read is learned for each quarter of the layers, as pruning spares that of the later ones.
type coldExperts struct {
	quarters [4]coldQuarter
	wait     [rowBands + 1]ratio // seconds by experts that were read, by the binary logarithm of the rows of the pass
}

// coldQuarter is what a quarter of the layers reads. Rows share experts the more, the more of them there are; and those of one path share others than
// siblings do, which stand at one position. Hence there is an average by kind and by the number of rows before. As long as little was seen, each leans on
// that of fewer rows, and that of later children on that of first ones.
type coldQuarter struct {
	first mean              // of the first row
	more  [2][rowBands]mean // of another row: a first child, a later one; by the binary logarithm of the rows before it
}

const rowBands = 6

// mean is an average over a window of late; it starts from the average of all.
type mean struct{ value, count float64 }

func (m *mean) add(x, window float64) {
	m.count = min(m.count+1, window)
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
func (c *coldExperts) row(before int, sibling bool) (reads float64) {
	for i := range c.quarters {
		reads += c.quarters[i].row(before, sibling)
	}
	return reads
}

// row returns those of the quarter.
func (c *coldQuarter) row(before int, sibling bool) float64 {
	if before == 0 || c.first.value == 0 {
		return c.first.value
	}
	const (
		usual = 0.85 // of what the first row reads, as long as nothing is known
		later = 0.9  // of what rows before them read, those of the next band
		apart = 1.25 // of what a first child reads, a later one
	)
	reads, last := usual*c.first.value, min(bits.Len(uint(before)), rowBands)-1
	for band := range last + 1 {
		if band > 0 {
			reads *= later
		}
		reads = c.more[0][band].over(reads)
	}
	if sibling {
		reads = c.more[1][last].over(min(apart*reads, max(reads, c.first.value)))
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
	lean := prior * c.row(0, false)
	return (own.over + lean*all.over/all.under) / (own.under + lean)
}

// observe takes in a pass over a tree alone.
func (c *coldExperts) observe(o *spec.Observation) {
	if o.Cold == nil || o.Lead > 0 || len(o.Cuts) > 0 {
		return
	}
	total := 0
	for node, cold := range o.Cold {
		sibling := node > 0 && isSibling(o.Tree, node)
		for i, n := range cold {
			total += n
			c.quarters[i].add(node, sibling, n)
		}
	}
	if total > 0 {
		c.wait[min(bits.Len(uint(o.Tree.Len()-1)), rowBands)].add(o.IO.ExpertWaitSeconds, float64(total))
	}
}

// add takes in the experts that were read for a node.
func (c *coldQuarter) add(node int, sibling bool, n int) {
	if node == 0 {
		const window = 8 // reads become fewer along an answer, and differ from text to text
		c.first.add(float64(n), window)
		return
	}
	kind := 0
	if sibling {
		kind = 1
	}
	const window = 30
	c.more[kind][min(bits.Len(uint(node)), rowBands)-1].add(float64(n), window)
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

// pruned returns those that are read for a tree of which, from the places on that cuts tell of, only some rows go on.
func (c *coldExperts) pruned(t *spec.Tree, cuts []spec.Cut) (reads float64) {
	var more [len(c.quarters)]float64 // of all rows but the first
	for node := 1; node < t.Len(); node++ {
		sibling := isSibling(t, node)
		for i := range more {
			more[i] += c.quarters[i].row(node, sibling)
		}
	}
	from, going := 0.0, 1.0 // the place that was looked at, and the part of these rows that goes on from there
	for i := range len(cuts) + 1 {
		until := 1.0
		if i < len(cuts) {
			until = cuts[i].Done
		}
		for j := range more {
			first, last := float64(j)/float64(len(more)), float64(j+1)/float64(len(more))
			if part := (min(until, last) - max(from, first)) / (last - first); part > 0 {
				reads += part * (c.quarters[j].first.value + going*more[j])
			}
		}
		if i < len(cuts) {
			from, going = until, float64(cuts[i].Rows-1)/float64(max(t.Len()-1, 1))
		}
	}
	return reads
}
