package spec_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// FuzzTree builds a tree from bytes, beside a plain list of what should be in it.
func FuzzTree(f *testing.F) {
	f.Add(uint8(8), uint8(3), []byte{0, 1, 0, 1, 1, 2, 2, 2, 0, 3})
	f.Add(uint8(20), uint8(3), []byte{0, 1, 0, 2, 0, 3, 0, 4, 1, 1, 1, 2, 1, 3, 0, 1, 0, 2, 0, 3, 0, 4, 1, 3})
	f.Add(uint8(0), uint8(9), []byte{0, 1})
	f.Add(uint8(9), uint8(0), []byte{0, 1})
	f.Add(uint8(9), uint8(9), []byte{0, 1, 64, 3, 1, 2, 65, 4, 100, 200, 0, 3, 1, 3, 126, 85, 0, 9})
	f.Add(uint8(2), uint8(9), []byte{127, 0, 0, 1, 0, 2, 2, 2, 2, 3, 66, 1, 67, 2, 126, 4, 126, 1})
	f.Add(uint8(255), uint8(255), []byte("a tree of any shape, more or less"))
	f.Fuzz(func(t *testing.T, maxNodes, maxDepth uint8, steps []byte) {
		if len(steps) > 512 {
			t.Skip("checks take long in large trees")
		}
		var tree spec.Tree
		tree.Reset(77, 3, 3)
		tree.Add(0, 5, 1)
		tree.Offer(1, spec.FromDraft, []int32{1}, []float32{1})
		tree.Reset(7, int(maxNodes), int(maxDepth))
		exploring := false
		for ; len(steps) >= 2; steps = steps[2:] {
			switch op := steps[0]; op {
			case 127:
				tree.Explore()
				exploring = true
			case 126:
				if fuzzSelect(t, &tree, steps[1]) {
					exploring = false
				}
			default:
				if op >= 64 && op < 126 {
					fuzzOffer(t, &tree, int(op-64), steps[1])
				} else {
					fuzzAdd(t, &tree, exploring, int(int8(op)), steps[1])
				}
			}
		}
		if exploring && tree.Len()-1 > tree.Budget() {
			if err := tree.Select(nil); err != nil || tree.Len() != 1 {
				t.Fatalf("select nothing: %d nodes, %v", tree.Len(), err)
			}
		}
		spectest.CheckTree(t, &tree)
	})
}

func fuzzAdd(t *testing.T, tree *spec.Tree, exploring bool, parent int, b byte) {
	token, before := int32(int8(b)), tree.Len()
	inside := parent >= 0 && parent < before
	fits := inside && (exploring || before <= tree.Budget()) && int(tree.Depths()[parent]) < tree.MaxDepth()
	node, err := tree.Add(parent, token, float32(b)/255)
	switch {
	case err == nil:
		if node != before || !fits || token < 0 || tree.Len() != before+1 {
			t.Fatalf("add(%d, %d) to %d nodes gave %d", parent, token, before, node)
		}
	case tree.Len() != before:
		t.Fatalf("add(%d, %d) failed and changed the tree: %v", parent, token, err)
	case errors.Is(err, spec.ErrTreeFull) != (inside && token >= 0 && !fits):
		t.Fatalf("add(%d, %d) to %d nodes: %v", parent, token, before, err)
	case fits && token >= 0 && tree.Child(parent, token) < 0:
		t.Fatalf("add(%d, %d): %v", parent, token, err)
	}
}

func fuzzOffer(t *testing.T, tree *spec.Tree, node int, b byte) {
	source, tokens, probs := spec.Source(b%3), []int32{int32(b), 3}[:1+b%2], []float32{0.5, 0.25}[:1+b%2]
	had := false
	if node < tree.Len() {
		_, had = tree.Set(node, source)
	}
	err := tree.Offer(node, source, tokens, probs)
	if (err == nil) != (node < tree.Len() && !had) {
		t.Fatalf("offer %v of %v after %d of %d nodes: %v", tokens, source, node, tree.Len(), err)
	}
	if err == nil {
		if set, ok := tree.Set(node, source); !ok || !slices.Equal(set.Tokens, tokens) || !slices.Equal(set.Probs, probs) {
			t.Fatalf("offered %v, got %+v", tokens, set)
		}
	}
}

// fuzzSelect keeps the nodes whose bits in keep, taken over and over, are set, and reports whether they could be kept.
func fuzzSelect(t *testing.T, tree *spec.Tree, keep byte) bool {
	// A node is known by its path of tokens.
	path := func(tree *spec.Tree, node int) string {
		var tokens []int32
		for _, n := range tree.Path(nil, node) {
			tokens = append(tokens, tree.Tokens()[n])
		}
		return fmt.Sprint(tokens)
	}
	var nodes []int
	var want []string
	closed := true
	for node := 1; node < tree.Len(); node++ {
		if keep>>(node%8)&1 == 1 {
			nodes, want = append(nodes, node), append(want, path(tree, node))
			if parent := int(tree.Parents()[node]); parent > 0 && !slices.Contains(nodes, parent) {
				closed = false
			}
		}
	}
	sets := map[string]string{}
	for _, s := range tree.Sets() {
		if s.Node == 0 || slices.Contains(nodes, s.Node) {
			sets[path(tree, s.Node)+s.Source.String()] = fmt.Sprint(s.Tokens)
		}
	}
	before := tree.Len()
	err := tree.Select(nodes)
	if (err == nil) != (closed && len(nodes) <= tree.Budget()) {
		t.Fatalf("select %v of %d: %v", nodes, before, err)
	}
	if err != nil {
		if tree.Len() != before {
			t.Fatalf("select failed and changed the tree: %v", err)
		}
		return false
	}
	var got []string
	for node := 1; node < tree.Len(); node++ {
		got = append(got, path(tree, node))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("selected %v, want %v", got, want)
	}
	if len(tree.Sets()) != len(sets) {
		t.Fatalf("%d candidate sets, want %v", len(tree.Sets()), sets)
	}
	for _, s := range tree.Sets() {
		if want := sets[path(tree, s.Node)+s.Source.String()]; fmt.Sprint(s.Tokens) != want {
			t.Fatalf("%+v, want %s", s, want)
		}
	}
	spectest.CheckTree(t, tree)
	return true
}

func TestTreeAddErrors(t *testing.T) {
	var tree spec.Tree
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
		if _, err := add(); err == nil || errors.Is(err, spec.ErrTreeFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no such node": tree.Offer(2, spec.FromDraft, []int32{1}, []float32{1}),
		"lengths":      tree.Offer(0, spec.FromDraft, []int32{1}, nil),
		"offered NaN":  tree.Offer(0, spec.FromDraft, []int32{1}, []float32{float32(math.NaN())}),
		"offered -1":   tree.Offer(0, spec.FromDraft, []int32{-1}, []float32{1}),
		"twice":        tree.Select([]int{1, 1}),
		"root":         tree.Select([]int{0}),
		"beyond":       tree.Select([]int{2}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	spectest.CheckTree(t, &tree)
}

func ExampleTree() {
	var tree spec.Tree
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
