package tokenizer

import (
	"maps"
	"slices"
)

// prefixTree finds the tokens with which a text begins. It is a double array (Aoe 1989): the child of a node for byte b is base[node]+b+1, if that
// slot's parent is the node. A token that ends at a node is its id there.
type prefixTree struct{ nodes []prefixNode }

// prefixNode is a slot of a prefixTree. Those that are free have the parent −1; the root is slot 0.
type prefixNode struct{ base, parent, id int32 }

// newPrefixTree returns the tree of the tokens of an index, of which none is empty.
func newPrefixTree(index map[string]int32) *prefixTree {
	t := &prefixTree{}
	t.grow(1)
	t.nodes[0].parent = 0
	type below struct {
		node, depth int
		tokens      []string // sorted, whose first bytes lead to the node
	}
	free := 1
	for rest := []below{{0, 0, slices.Sorted(maps.Keys(index))}}; len(rest) > 0; {
		at := rest[len(rest)-1]
		rest = rest[:len(rest)-1]
		if len(at.tokens) > 0 && len(at.tokens[0]) == at.depth {
			t.nodes[at.node].id = index[at.tokens[0]]
			at.tokens = at.tokens[1:]
		}
		if len(at.tokens) == 0 {
			continue
		}
		var bytes []int
		var children []below
		for tokens := at.tokens; len(tokens) > 0; {
			n := same(tokens, at.depth)
			bytes = append(bytes, int(tokens[0][at.depth]))
			children = append(children, below{0, at.depth + 1, tokens[:n]})
			tokens = tokens[n:]
		}
		base := t.place(bytes, &free)
		t.nodes[at.node].base = int32(base)
		for i, b := range bytes {
			children[i].node = base + b + 1
			t.nodes[children[i].node].parent = int32(at.node)
		}
		rest = append(rest, children...)
	}
	return t
}

// grow makes n slots.
func (t *prefixTree) grow(n int) {
	for len(t.nodes) < n {
		t.nodes = append(t.nodes, prefixNode{parent: -1, id: -1})
	}
}

// same returns how many tokens from the first on have its byte at depth.
func same(tokens []string, depth int) int {
	n := 1
	for n < len(tokens) && tokens[n][depth] == tokens[0][depth] {
		n++
	}
	return n
}

// searched is how many of the last slots are looked at for a place, which bounds the work.
const searched = 1 << 10

// place returns a base with which the slots of all bytes, in ascending order, are free. Before the slot free none is looked at.
func (t *prefixTree) place(bytes []int, free *int) int {
	for *free = max(*free, len(t.nodes)-searched); *free < len(t.nodes) && t.nodes[*free].parent >= 0; {
		*free++
	}
	taken := func(slot int) bool { return slot < len(t.nodes) && t.nodes[slot].parent >= 0 }
	for base := max(*free-bytes[0]-1, 0); ; base++ {
		if !slices.ContainsFunc(bytes, func(b int) bool { return taken(base + b + 1) }) {
			t.grow(base + bytes[len(bytes)-1] + 2)
			return base
		}
	}
}

// child returns the node behind one for a byte; ok is false if there is none.
func (t *prefixTree) child(node int32, b byte) (next int32, ok bool) {
	next = t.nodes[node].base + int32(b) + 1
	return next, int(next) < len(t.nodes) && t.nodes[next].parent == node
}
