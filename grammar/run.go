package grammar

import (
	"slices"
	"unicode/utf8"
)

// Limits of what run looks at.
const (
	mostNodes   = 32  // after the same characters
	mostRunning = 512 // in all
	// mostLacking is the most plain characters that a set lacks if each of them is followed.
	mostLacking = 4
	// setNodes is how many nodes of a set take as long as the rest of it.
	setNodes = 4
)

// run returns how many characters of a class can follow one another at some nodes, whichever they are, as far as it looks; mostCharacters stands
// for more. lacks returns the characters of the class that a set does not have, if it has nearly all.
func (a *automaton) run(nodes []int32, lacks func(set int32) (lacking []rune, nearly bool), w *work) int8 {
	level := [][]int32{nodes} // where so many characters may lead
	var seen [][]int32
	looked := 0
	for n := range int8(mostCharacters) {
		var next [][]int32
		for _, nodes := range level {
			if n > 0 { // at first, only the nodes themselves count
				nodes = a.reached(nodes)
			}
			if looked += len(nodes); looked > mostRunning {
				return n
			}
			after := a.afterAny(nodes, lacks, w)
			if after == nil {
				return n
			}
			for _, nodes := range after {
				if !slices.ContainsFunc(seen, func(other []int32) bool { return slices.Equal(nodes, other) }) {
					seen, next = append(seen, nodes), append(next, nodes)
				}
			}
		}
		if len(next) == 0 { // and so on
			break
		}
		level = next
	}
	return mostCharacters
}

// reached returns some nodes and those that can be reached from them without a byte, as many as run looks at.
func (a *automaton) reached(nodes []int32) []int32 {
	nodes = slices.Clone(nodes)
	for i := 0; i < len(nodes) && len(nodes) < mostNodes; i++ {
		for _, to := range a.emptyOf(nodes[i]) {
			if !slices.Contains(nodes, to) {
				nodes = append(nodes, to)
			}
		}
	}
	return nodes
}

// afterAny returns to which nodes the characters of a class lead: all of them to the same, or those that a set lacks each to others. It returns nil if
// one may lead nowhere.
func (a *automaton) afterAny(nodes []int32, lacks func(set int32) ([]rune, bool), w *work) (after [][]int32) {
	w.steps += runSteps * (setNodes + len(nodes))
	var all []int32
	for _, n := range nodes {
		if at := &a.nodes[n]; at.set != noSet {
			if lacking, nearly := lacks(at.set); nearly && len(lacking) == 0 {
				all = append(all, at.after)
			}
		}
	}
	if len(all) > 0 {
		return [][]int32{distinct(all)}
	}
	for _, n := range nodes {
		at := &a.nodes[n]
		if at.set == noSet {
			continue
		}
		lacking, nearly := lacks(at.set)
		if !nearly {
			continue
		}
		after = append(after[:0], []int32{at.after})
		for _, r := range lacking {
			w.steps += runSteps * len(nodes)
			to := a.afterRune(nodes, r)
			if len(to) == 0 {
				break
			}
			after = append(after, to)
		}
		if len(after) == 1+len(lacking) {
			return after
		}
	}
	return nil
}

// afterRune returns the nodes to which a plain character leads.
func (a *automaton) afterRune(nodes []int32, r rune) (after []int32) {
	for _, n := range nodes {
		at := &a.nodes[n]
		if at.set != noSet && a.sets[at.set].runes.has(r) {
			after = append(after, at.after)
		}
		if r >= utf8.RuneSelf {
			continue
		}
		for _, e := range a.edgesOf(n) {
			if rune(e.lo) <= r && r <= rune(e.hi) {
				after = append(after, e.to)
			}
		}
	}
	return distinct(after)
}

// distinct sorts nodes, and leaves out those that are there already.
func distinct(nodes []int32) []int32 {
	slices.Sort(nodes)
	return slices.Compact(nodes)
}
