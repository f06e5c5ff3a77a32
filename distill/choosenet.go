package distill

import (
	"fmt"

	gg "gorgonia.org/gorgonia"
	gt "gorgonia.org/tensor"
)

// chooseNetwork is predictor and draft together, as they judge a node's candidates, over mini-batches of choices. With h the normalised hidden
// state, w the head's row of a candidate, 0 for another token than these, and â the draft's chance,
//
//	z = (h · down) · (w · up) + trust₀·log â                        for a candidate
//	z = (h · down) · other + trust₀·log â + trust₁                  for another token
//	loss = mean over the batch of logsumexp(z) − z of what the target picked
type chooseNetwork struct {
	batch, width, rank int

	hidden *gt.Dense // [batch][width]
	head   *gt.Dense // [batch × mostOptions][width]
	priors *gt.Dense // [batch × mostOptions][2]: log â, and 1 for another token
	picked *gt.Dense // [batch][mostOptions], 1 at what was picked

	down, up *gt.Dense // [width][rank], trained
	other    *gt.Dense // [1][rank], trained
	trust    *gt.Dense // [2], trained

	loss, logits gg.Value
	params       []gg.ValueGrad
	machine      gg.VM
}

func newChooseNetwork(batch, width, rank int, learns bool) (*chooseNetwork, error) {
	n := &chooseNetwork{batch: batch, width: width, rank: rank}
	g := gg.NewGraph()
	node := func(name string, shape ...int) (*gg.Node, *gt.Dense) {
		value := gt.New(gt.WithShape(shape...), gt.WithBacking(make([]float32, gt.Shape(shape).TotalSize())))
		return gg.NewTensor(g, gt.Float32, len(shape), gg.WithShape(shape...), gg.WithName(name), gg.WithValue(value)), value
	}
	rows := batch * mostOptions
	var hidden, head, priors, picked, down, up, other, trust *gg.Node
	hidden, n.hidden = node("hidden", batch, width)
	head, n.head = node("head", rows, width)
	priors, n.priors = node("priors", rows, 2)
	picked, n.picked = node("picked", batch, mostOptions)
	down, n.down = node("down", width, rank)
	up, n.up = node("up", width, rank)
	other, n.other = node("other", 1, rank)
	trust, n.trust = node("trust", 2, 1)
	// [rows][batch] repeats what a batch has once, and [rows][1] marks the rows of other tokens.
	repeat, each := node("repeat", rows, batch)
	mark, marks := node("mark", rows, 1)
	for row := range rows {
		floats(each)[row*batch+row/mostOptions] = 1
		if row%mostOptions == mostCandidates {
			floats(marks)[row] = 1
		}
	}
	b := builder{}
	low := b.do(gg.Mul(repeat, b.do(gg.Mul(hidden, down))))
	out := b.do(gg.Add(b.do(gg.Mul(head, up)), b.do(gg.Mul(mark, other))))
	own := b.do(gg.Sum(b.do(gg.HadamardProd(low, out)), 1))
	told := b.do(gg.Reshape(b.do(gg.Mul(priors, trust)), gt.Shape{rows}))
	z := b.do(gg.Reshape(b.do(gg.Add(own, told)), gt.Shape{batch, mostOptions}))
	lse := b.do(gg.Log(b.do(gg.Sum(b.do(gg.Exp(z)), 1))))
	loss := b.do(gg.Mean(b.do(gg.Sub(lse, b.do(gg.Sum(b.do(gg.HadamardProd(picked, z)), 1))))))
	if b.err != nil {
		return nil, fmt.Errorf("build the graph of choices: %w", b.err)
	}
	gg.Read(loss, &n.loss)
	gg.Read(z, &n.logits)
	if !learns {
		n.machine = gg.NewTapeMachine(g)
		return n, nil
	}
	if _, err := gg.Grad(loss, down, up, other, trust); err != nil {
		return nil, fmt.Errorf("build the graph of choices: %w", err)
	}
	n.params = []gg.ValueGrad{down, up, other, trust}
	n.machine = gg.NewTapeMachine(g, gg.BindDualValues(down, up, other, trust))
	return n, nil
}

// run computes the loss of what the inputs hold, and, with a solver, changes the parameters.
func (n *chooseNetwork) run(solver gg.Solver) (float64, error) {
	return step(n.machine, &n.loss, solver, n.params)
}

func (n *chooseNetwork) close() error { return n.machine.Close() }
