package dryrun

import (
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
)

func TestSurestPath(t *testing.T) {
	parents := []int32{-1, 0, 0, 1, 2, 2, 5}
	chances := []float64{1, 0.5, 0.4, 0.45, 0.1, 0.3, 0.2}
	all := slices.Repeat([]bool{true}, len(parents))
	if got, want := surest(all, parents, chances), []bool{true, true, false, true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	all[1], all[3] = false, false
	if got, want := surest(all, parents, chances), []bool{true, false, true, false, false, true, true}; !slices.Equal(got, want) {
		t.Errorf("without nodes that are gone: %v, want %v", got, want)
	}
	if got := surest([]bool{true}, []int32{-1}, []float64{1}); !slices.Equal(got, []bool{true}) {
		t.Errorf("a root alone: %v", got)
	}
}

func TestSavedAt(t *testing.T) {
	c := Curve{Points: []Point{{Recall: 1, Saved: 0}, {Recall: 0.98, Saved: 0.2}, {Recall: 0.9, Saved: 0.6}}}
	for recall, want := range map[float64]float64{1: 0, 0.99: 0.1, 0.98: 0.2, 0.94: 0.4, 0.5: 0.6} {
		if got := c.SavedAt(recall); math.Abs(got-want) > 1e-9 {
			t.Errorf("at a recall of %v: %v saved, want %v", recall, got, want)
		}
	}
}

// However little is thought of some nodes, all go on.
func TestPrunerDropsNothing(t *testing.T) {
	pruner, err := New([]earlyexit.Predictor{Blind{After: 0, Tokens: 100}, Blind{After: 2, Tokens: 100}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	var tree spec.Tree
	tree.Reset(1, 16, 8)
	if err := tree.Offer(0, spec.FromDraft, []int32{12}, []float32{0.95}); err != nil {
		t.Fatal(err)
	}
	nodes := []int{0}
	for _, token := range []int32{10, 11, 12} {
		node, err := tree.Add(0, token, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, node)
	}
	layers := pruner.Begin(&tree, nil)
	if !slices.Equal(layers, []int{0, 2}) {
		t.Errorf("looks after layers %v", layers)
	}
	for _, layer := range layers {
		if keep, err := pruner.Prune(layer, slices.Clone(nodes), nil); err != nil || !slices.Equal(keep, nodes) {
			t.Errorf("after layer %d %v go on: %v", layer, keep, err)
		}
	}
}
