package grammar

import (
	"bytes"
	"slices"
)

// names are texts of which a node takes one: those of a chain of nodes from it on, each of which takes a text, or leads to the next one. There may be
// thousands in a chain, one for each property of an object. Instead of following all at once, they are looked for in a tree, which the nodes of
// a chain share. It knows how far on in the chain its texts are.
type names struct {
	root int32 // a prefix; 0 if there are no names
	most int32 // texts up to this rank are taken
}

// prefix is one in a tree of names, after some bytes.
type prefix struct {
	rank  int32 // the least of a text from here on. The last text of a chain has rank 1, the one before it 2.
	to    int32 // the first of the prefixes one byte on, or, if there are none, the node that takes the rest of the only text
	below int16 // the number of these prefixes
	last  byte  // of the bytes up to here
}

// below returns the prefixes one byte after that at which a node is, and the number of the first.
func (a *automaton) below(n *node, within int32) ([]prefix, int32) {
	if within == 0 {
		within = n.names.root
	}
	p := a.prefixes[within]
	return a.prefixes[p.to : p.to+int32(p.below)], p.to
}

// afterName returns what follows a byte of a name, as [automaton.after] does.
func (a *automaton) afterName(n *node, within int32, b byte) (to, at int32) {
	below, first := a.below(n, within)
	i, found := slices.BinarySearchFunc(below, b, func(p prefix, b byte) int { return int(p.last) - int(b) })
	switch {
	case !found || below[i].rank > n.names.most:
		return 0, dead
	case below[i].below == 0:
		return below[i].to, 0
	}
	return 0, first + int32(i)
}

// index makes the trees of names.
func (r *reduction) index() {
	next, inner := make([]int32, len(r.made)), make([]bool, len(r.made)) // the node after each in its chain, and which ones are after another
	for n := range r.made {
		if p := &r.made[n]; r.links(p) && p.empty[0] < p.empty[1] {
			if to := r.emptyOf(*p)[0]; to != itself && r.links(&r.made[to]) && !inner[to] {
				next[n], inner[to] = to, true
			}
		}
	}
	r.prefixes = make([]prefix, 1)
	var chain []int32
	for n := range next {
		if next[n] == 0 || inner[n] {
			continue
		}
		chain = chain[:0]
		for at := int32(n); at != 0; at = next[at] {
			chain = append(chain, at)
		}
		r.name(chain)
	}
}

// links reports whether a node may be in a chain.
func (r *reduction) links(p *reduced) bool {
	return p.text.begin != p.text.end && p.set == noSet && !p.final && p.edges[0] == p.edges[1] && p.calls[0] == p.calls[1] && p.empty[1]-p.empty[0] <= 1
}

// ranked is a text of a chain.
type ranked struct {
	kept
	rank, after int32
}

// name makes the nodes of a chain take names, unless one begins with another.
func (r *reduction) name(chain []int32) {
	if !r.work.do(nameSteps * len(chain)) {
		return
	}
	texts := make([]ranked, len(chain))
	for i, n := range chain {
		p := &r.made[n]
		texts[i] = ranked{p.text, int32(len(chain) - i), p.after}
		if p.after == itself {
			texts[i].after = n
		}
	}
	text := func(t ranked) []byte { return r.bytes[t.begin:t.end] }
	slices.SortFunc(texts, func(t, u ranked) int { return bytes.Compare(text(t), text(u)) })
	for i := 1; i < len(texts); i++ {
		if bytes.HasPrefix(text(texts[i]), text(texts[i-1])) {
			return
		}
	}
	root := int32(len(r.prefixes))
	r.prefixes = append(r.prefixes, prefix{})
	r.tree(root, texts, 0)
	exit := r.made[chain[len(chain)-1]].empty
	for i, n := range chain {
		p := &r.made[n]
		p.names, p.taken, p.empty = names{root, int32(len(chain) - i)}, taken{}, exit
	}
}

// tree makes the prefixes below one, from which on there are some texts, in order, after depth bytes of them.
func (r *reduction) tree(at int32, texts []ranked, depth int32) {
	first := int32(len(r.prefixes))
	for i, t := range texts {
		if b := r.bytes[t.begin+depth]; i == 0 || b != r.prefixes[len(r.prefixes)-1].last {
			r.prefixes = append(roomy(r.work, r.prefixes, 1), prefix{rank: t.rank, last: b})
		}
		p := &r.prefixes[len(r.prefixes)-1]
		p.rank = min(p.rank, t.rank)
	}
	r.prefixes[at].to, r.prefixes[at].below = first, int16(int32(len(r.prefixes))-first)
	r.work.do(len(texts) + prefixSteps*(len(r.prefixes)-int(first)))
	for n := range int32(r.prefixes[at].below) {
		b, same := r.prefixes[first+n].last, 0
		for same < len(texts) && r.bytes[texts[same].begin+depth] == b {
			same++
		}
		switch {
		case r.work.err != nil:
			return
		case same > 1:
			r.tree(first+n, texts[:same], depth+1)
		default:
			r.prefixes[first+n].to = r.rest(texts[0], depth+1)
		}
		texts = texts[same:]
	}
}

// rest returns a node that takes a text after some bytes of it.
func (r *reduction) rest(t ranked, from int32) int32 {
	t.begin += from
	if t.begin == t.end {
		return t.after
	}
	n := r.make()
	r.made[n].text, r.made[n].after = t.kept, t.after
	return n
}
