package distill

import (
	"fmt"

	gg "gorgonia.org/gorgonia"
	gt "gorgonia.org/tensor"
)

// chooseNetwork is predictor and draft together, as they judge a node's candidates, over mini-batches of choices. With h the normalised hidden
// state, w the head's row of a candidate, 0 for another token than these, and â the draft's chance,
//
//	z = (h · down) · (w · up) + blend₀·log â                        for a candidate
//	z = (h · down) · other + blend₀·log â + blend₁                  for another token
//	loss = mean over the batch of logsumexp(z) − z of what the target picked
type chooseNetwork struct {
	batch, width, rank int

	hidden []float32 // [batch][width]
	head   []float32 // [batch × mostOptions][width]
	priors []float32 // [batch × mostOptions][2]: log â, and 1 for another token
	picked []float32 // [batch][mostOptions], 1 at what was picked

	down, up []float32 // [width][rank], trained
	other    []float32 // [1][rank], trained
	blend    []float32 // [2], trained

	graph
}

func newChooseNetwork(batch, width, rank int, learns bool) (*chooseNetwork, error) {
	n := &chooseNetwork{batch: batch, width: width, rank: rank}
	b := builder{g: gg.NewGraph()}
	rows := batch * mostOptions
	var hidden, head, priors, picked, down, up, other, blend *gg.Node
	hidden, n.hidden = b.matrix("hidden", batch, width)
	head, n.head = b.matrix("head", rows, width)
	priors, n.priors = b.matrix("priors", rows, 2)
	picked, n.picked = b.matrix("picked", batch, mostOptions)
	down, n.down = b.matrix("down", width, rank)
	up, n.up = b.matrix("up", width, rank)
	other, n.other = b.matrix("other", 1, rank)
	blend, n.blend = b.matrix("blend", 2, 1)
	// [rows][batch] repeats what a batch has once, and [rows][1] marks the rows of other tokens.
	repeat, each := b.matrix("repeat", rows, batch)
	mark, marks := b.matrix("mark", rows, 1)
	if b.err != nil {
		return nil, fmt.Errorf("build the graph of choices: %w", b.err)
	}
	for row := range rows {
		each[row*batch+row/mostOptions] = 1
		if row%mostOptions == mostCandidates {
			marks[row] = 1
		}
	}
	low := b.do(gg.Mul(repeat, b.do(gg.Mul(hidden, down))))
	out := b.do(gg.Add(b.do(gg.Mul(head, up)), b.do(gg.Mul(mark, other))))
	own := b.do(gg.Sum(b.do(gg.HadamardProd(low, out)), 1))
	told := b.do(gg.Reshape(b.do(gg.Mul(priors, blend)), gt.Shape{rows}))
	z := b.do(gg.Reshape(b.do(gg.Add(own, told)), gt.Shape{batch, mostOptions}))
	if err := n.finish(&b, z, picked, gg.Nodes{down, up, other, blend}, learns); err != nil {
		return nil, fmt.Errorf("build the graph of choices: %w", err)
	}
	return n, nil
}
