package spec

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// checkTree checks what always holds of a tree against its own parents.
func checkTree(t *testing.T, tree *Tree) {
	t.Helper()
	tokens, parents, depths, probs := tree.Tokens(), tree.Parents(), tree.Depths(), tree.Probs()
	if n := tree.Len(); len(tokens) != n || len(parents) != n || len(depths) != n || len(probs) != n || n > tree.maxNodes+1 {
		t.Fatalf("%d nodes, at most %d below the root: %d tokens, %d parents, %d depths, %d probabilities",
			n, tree.maxNodes, len(tokens), len(parents), len(depths), len(probs))
	}
	for node := range tree.Len() {
		parent := int(parents[node])
		if node == 0 {
			if parent != -1 || depths[0] != 0 {
				t.Fatalf("root: parent %d, depth %d", parent, depths[0])
			}
		} else if parent < 0 || parent >= node || depths[node] != depths[parent]+1 || int(depths[node]) > tree.maxDepth {
			t.Fatalf("node %d: parent %d, depth %d", node, parent, depths[node])
		} else if got := tree.Child(parent, tokens[node]); got != node {
			t.Fatalf("child of %d with token %d is %d, not %d", parent, tokens[node], got, node)
		}

		var path []int
		for n := node; n >= 0; n = int(parents[n]) {
			path = append(path, n)
		}
		slices.Reverse(path)
		if got := tree.Path([]int{-5}, node); !slices.Equal(got[1:], path) || got[0] != -5 {
			t.Fatalf("path to %d is %v, want %v", node, got, path)
		}
		for other := range tree.Len() {
			if got := tree.IsAncestor(other, node); got != slices.Contains(path, other) {
				t.Fatalf("%d is an ancestor of %d: %v, path %v", other, node, got, path)
			}
		}
	}
}

func FuzzTree(f *testing.F) {
	f.Add(uint8(8), uint8(3), []byte{0, 1, 0, 1, 1, 2, 2, 2, 0, 3})
	f.Add(uint8(20), uint8(3), []byte{0, 1, 0, 2, 0, 3, 0, 4, 1, 1, 1, 2, 1, 3, 0, 1, 0, 2, 0, 3, 0, 4, 1, 3})
	f.Add(uint8(0), uint8(9), []byte{0, 1})
	f.Add(uint8(9), uint8(0), []byte{0, 1})
	f.Add(uint8(255), uint8(255), []byte("a tree of any shape, more or less"))
	f.Fuzz(func(t *testing.T, maxNodes, maxDepth uint8, steps []byte) {
		var tree Tree
		tree.Reset(77, 3, 3)
		tree.Add(0, 5, 1)
		tree.Reset(7, int(maxNodes), int(maxDepth))
		for ; len(steps) >= 2; steps = steps[2:] {
			parent, token := int(int8(steps[0])), int32(int8(steps[1]))
			before := tree.Len()
			inside := parent >= 0 && parent < before
			fits := inside && before <= int(maxNodes) && int(tree.Depths()[parent]) < int(maxDepth)
			node, err := tree.Add(parent, token, float32(steps[1])/255)
			switch {
			case err == nil:
				if node != before || !fits || token < 0 || tree.Len() != before+1 {
					t.Fatalf("add(%d, %d) to %d nodes gave %d", parent, token, before, node)
				}
			case tree.Len() != before:
				t.Fatalf("add(%d, %d) failed and changed the tree: %v", parent, token, err)
			case errors.Is(err, ErrTreeFull) != (inside && token >= 0 && !fits):
				t.Fatalf("add(%d, %d) to %d nodes: %v", parent, token, before, err)
			case fits && token >= 0 && tree.Child(parent, token) < 0:
				t.Fatalf("add(%d, %d): %v", parent, token, err)
			}
		}
		checkTree(t, &tree)
	})
}

func TestTreeAddErrors(t *testing.T) {
	var tree Tree
	tree.Reset(1, 10, 10)
	if _, err := tree.Add(0, 4, 0.5); err != nil {
		t.Fatal(err)
	}
	for name, add := range map[string]func() (int, error){
		"duplicate":      func() (int, error) { return tree.Add(0, 4, 0.5) },
		"no such parent": func() (int, error) { return tree.Add(2, 4, 0.5) },
		"negative":       func() (int, error) { return tree.Add(1, -1, 0.5) },
		"NaN":            func() (int, error) { return tree.Add(1, 4, float32(math.NaN())) },
		"above 1":        func() (int, error) { return tree.Add(1, 4, 1.5) },
	} {
		if _, err := add(); err == nil || errors.Is(err, ErrTreeFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkTree(t, &tree)
}

func ExampleTree() {
	var tree Tree
	tree.Reset(100, 8, 4) // the last token of the text
	a, _ := tree.Add(0, 7, 0.6)
	b, _ := tree.Add(0, 9, 0.3)
	c, _ := tree.Add(a, 8, 0.5)
	fmt.Println("tokens ", tree.Tokens())
	fmt.Println("parents", tree.Parents())
	fmt.Println("depths ", tree.Depths())
	fmt.Println("path   ", tree.Path(nil, c), tree.IsAncestor(a, c), tree.IsAncestor(b, c))
	// Output:
	// tokens  [100 7 9 8]
	// parents [-1 0 0 1]
	// depths  [0 1 1 2]
	// path    [0 1 3] true false
}
