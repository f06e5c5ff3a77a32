package spec

import (
	"context"
	"slices"
	"testing"
)

// callCounter counts the calls of Project.
type callCounter struct {
	*hashModel
	calls int
}

func (c *callCounter) Project(ctx context.Context, dst []float32, rows []int) error {
	c.calls++
	return c.hashModel.Project(ctx, dst, rows)
}

// Logits of the likeliest nodes that come along with those of another save projections, and change nothing.
func TestProjectAhead(t *testing.T) {
	req := Request{Prompt: []int32{1, 2, 3}, MaxTokens: 200}
	var want []int32
	calls := map[int]int{}
	for _, ahead := range []int{0, 1, 3, 8} {
		target := newHashModel(1, 50, 1000)
		target.levels = 1000
		counter := &callCounter{hashModel: target}
		result := generate(t, Options{Target: counter, Draft: newDraftOf(target, 40), Policy: mustPolicy(t, "opttree", 16), ProjectAhead: ahead}, req, nil)
		if want == nil {
			want = result.Tokens
		}
		if !slices.Equal(result.Tokens, want) {
			t.Errorf("%d ahead: %v, want %v", ahead, result.Tokens, want)
		}
		calls[ahead] = counter.calls
		if most := max(1, ahead) * counter.calls; target.projections > most {
			t.Errorf("%d ahead: %d rows in %d projections", ahead, target.projections, counter.calls)
		}
	}
	if calls[0] != calls[1] || calls[3] > calls[1]*3/4 || calls[8] > calls[3] {
		t.Errorf("projections by rows ahead: %v", calls)
	}
}

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
