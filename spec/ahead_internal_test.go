package spec

import (
	"slices"
	"testing"
)

func TestAheadChoosesTheLikeliest(t *testing.T) {
	var tree Tree
	tree.Reset(1, 10, 10)
	add := func(parent int, token int32, prob float32) int {
		node, err := tree.Add(parent, token, prob)
		if err != nil {
			t.Fatal(err)
		}
		return node
	}
	a, b := add(0, 2, 0.6), add(0, 3, 0.3)
	aa, ab := add(a, 4, 0.4), add(a, 5, 0.6) // 0.24, 0.36
	ba := add(b, 6, 1)                       // 0.3
	aba := add(ab, 7, 0.5)                   // 0.18
	p := &pruning{left: []int{0, a, b, aa, ab, ba, aba}, rows: []int{10, 11, 12, 13, 14, 15, 16}}
	var chosen ahead
	for _, test := range []struct {
		node, most int
		want       []int
	}{
		{0, 1, []int{10}},
		{0, 4, []int{10, 11, 14, 12}},
		{0, 5, []int{10, 11, 14, 12, 15}},
		{0, 9, []int{10, 11, 14, 12, 15, 13, 16}},
		{a, 2, []int{11, 14}},
		{b, 9, []int{12, 15}},
		{aba, 9, []int{16}},
	} {
		if got := chosen.choose(&tree, p, test.node, test.most); !slices.Equal(got, test.want) {
			t.Errorf("node %d, %d rows: %v, want %v", test.node, test.most, got, test.want)
		}
	}
	p.left, p.rows = []int{0, b, ba}, []int{10, 12, 15}
	if got := chosen.choose(&tree, p, 0, 9); !slices.Equal(got, []int{10, 12, 15}) {
		t.Errorf("of a pruned tree: %v", got)
	}
}
