package distill

import (
	"errors"
	"fmt"
	"math"

	// gorgonia imports an old form of this package that stops programs built with a newer Go; naming it here makes the module use the
	// present one.
	_ "go4.org/unsafe/assume-no-moving-gc"
	gg "gorgonia.org/gorgonia"
	gt "gorgonia.org/tensor"
)

// network is the predictor of one exit layer as a gorgonia graph, over mini-batches of one size. With h the normalised hidden state, W the head's
// rows of the batch's vocabulary, and p the target's distribution over it at the temperature τ,
//
//	z = (h · down) · (W · up)ᵀ / τ
//	loss = mean over the batch of logsumexp(z) − p·z
//
// which is the mean of KL(p ‖ softmax(z)) but for p's entropy, a constant.
type network struct {
	batch, width, rank, vocab int

	hidden *gt.Dense // [batch][width]
	head   *gt.Dense // [vocab][width], divided by τ
	target *gt.Dense // [batch][vocab]
	down   *gt.Dense // [width][rank], trained
	up     *gt.Dense // [width][rank], trained

	graph
}

// newNetwork builds the graph. Unless it learns, it only computes the loss.
func newNetwork(batch, width, rank, vocab int, learns bool) (*network, error) {
	n := &network{batch: batch, width: width, rank: rank, vocab: vocab}
	g := gg.NewGraph()
	var hidden, head, target, down, up *gg.Node
	hidden, n.hidden = matrix(g, "hidden", batch, width)
	head, n.head = matrix(g, "head", vocab, width)
	target, n.target = matrix(g, "target", batch, vocab)
	down, n.down = matrix(g, "down", width, rank)
	up, n.up = matrix(g, "up", width, rank)

	b := builder{}
	low := b.do(gg.Mul(hidden, down))
	out := b.do(gg.Mul(head, up))
	z := b.do(gg.Mul(low, b.do(gg.Transpose(out))))
	if err := n.finish(&b, z, target, gg.Nodes{down, up}, learns); err != nil {
		return nil, fmt.Errorf("build the graph: %w", err)
	}
	return n, nil
}

// graph computes a loss, and can learn.
type graph struct {
	loss, logits gg.Value
	params       []gg.ValueGrad
	machine      gg.VM
}

// finish takes the mean over rows of logsumexp(z) − target·z for the loss, and makes all ready to run. c must stay where it is.
func (c *graph) finish(b *builder, z, target *gg.Node, trained gg.Nodes, learns bool) error {
	lse := b.do(gg.Log(b.do(gg.Sum(b.do(gg.Exp(z)), 1))))
	likely := b.do(gg.Sum(b.do(gg.HadamardProd(target, z)), 1))
	loss := b.do(gg.Mean(b.do(gg.Sub(lse, likely))))
	if b.err != nil {
		return b.err
	}
	gg.Read(loss, &c.loss)
	gg.Read(z, &c.logits)
	if !learns {
		c.machine = gg.NewTapeMachine(z.Graph())
		return nil
	}
	if _, err := gg.Grad(loss, trained...); err != nil {
		return err
	}
	c.params = gg.NodesToValueGrads(trained)
	c.machine = gg.NewTapeMachine(z.Graph(), gg.BindDualValues(trained...))
	return nil
}

// run computes the loss of what the inputs hold, and, with a solver, changes what is trained.
func (c *graph) run(solver gg.Solver) (float64, error) {
	defer c.machine.Reset()
	if err := c.machine.RunAll(); err != nil {
		return 0, err
	}
	loss, ok := c.loss.Data().(float32)
	switch {
	case !ok:
		return 0, fmt.Errorf("the loss is a %T", c.loss.Data())
	case math.IsNaN(float64(loss)) || math.IsInf(float64(loss), 0):
		return 0, fmt.Errorf("the loss is %v: hidden states or logits are out of range", loss)
	case solver != nil:
		return float64(loss), solver.Step(c.params)
	}
	return float64(loss), nil
}

func (c *graph) close() error { return c.machine.Close() }

// matrix adds an input to g.
func matrix(g *gg.ExprGraph, name string, rows, cols int) (*gg.Node, *gt.Dense) {
	value := gt.New(gt.WithShape(rows, cols), gt.WithBacking(make([]float32, rows*cols)))
	return gg.NewMatrix(g, gt.Float32, gg.WithShape(rows, cols), gg.WithName(name), gg.WithValue(value)), value
}

// builder keeps the first error of a chain of operations.
type builder struct{ err error }

func (b *builder) do(node *gg.Node, err error) *gg.Node {
	b.err = errors.Join(b.err, err)
	return node
}

// floats returns the elements of a dense matrix, row by row.
func floats(d *gt.Dense) []float32 { return d.Data().([]float32) }
