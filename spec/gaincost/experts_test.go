package gaincost

import (
	"math"
	"testing"

	"github.com/lever-go/lever/spec"
)

// What pruning spares of reads is that of the layers after it, by what each quarter of the layers was seen to read.
func TestPrunedExperts(t *testing.T) {
	var tree spec.Tree
	tree.Reset(1, 8, 8)
	for token := range int32(3) { // a path
		if _, err := tree.Add(int(token), token, 0.5); err != nil {
			t.Fatal(err)
		}
	}
	var c coldExperts
	for range 200 {
		cold := [4]int{0, 0, 10, 40} // of every row
		c.observe(&spec.Observation{
			Tree: &tree, Cold: [][4]int{cold, cold, cold, cold}, IO: spec.IOStats{ExpertWaitSeconds: 0.2},
		})
	}
	if each := c.each(4); math.Abs(each-0.001) > 1e-6 {
		t.Errorf("%v s an expert, want 0.001", each)
	}
	for _, x := range []struct {
		cuts []spec.Cut
		want float64
	}{
		{nil, 200},
		{[]spec.Cut{{Done: 0.5, Rows: 4}}, 200},
		{[]spec.Cut{{Done: 0.5, Rows: 1}}, 50},
		{[]spec.Cut{{Done: 0.75, Rows: 1}}, 40 + 40},
		{[]spec.Cut{{Done: 0.875, Rows: 1}}, 40 + 80 + 20},
		{[]spec.Cut{{Done: 0.5, Rows: 2}, {Done: 0.75, Rows: 1}}, 20 + 40},
	} {
		if got := c.pruned(&tree, x.cuts); math.Abs(got-x.want) > 0.05*x.want {
			t.Errorf("cuts %v: %v experts, want %v", x.cuts, got, x.want)
		}
	}
}
