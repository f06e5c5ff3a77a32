package distill

import (
	"errors"
	"fmt"
	"math"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/gorgoniadense"
	"github.com/lever-go/lever/tensor/ops"
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

	hidden []float32 // [batch][width]
	head   []float32 // [vocab][width], divided by τ
	target []float32 // [batch][vocab]
	down   []float32 // [width][rank], trained
	up     []float32 // [width][rank], trained

	graph
}

// newNetwork builds the graph. Unless it learns, it only computes the loss.
func newNetwork(batch, width, rank, vocab int, learns bool) (*network, error) {
	n := &network{batch: batch, width: width, rank: rank, vocab: vocab}
	b := builder{g: gg.NewGraph()}
	var hidden, head, target, down, up *gg.Node
	hidden, n.hidden = b.matrix("hidden", batch, width)
	head, n.head = b.matrix("head", vocab, width)
	target, n.target = b.matrix("target", batch, vocab)
	down, n.down = b.matrix("down", width, rank)
	up, n.up = b.matrix("up", width, rank)
	if b.err != nil {
		return nil, fmt.Errorf("build the graph: %w", b.err)
	}
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

// agreement returns the share of the batch's rows in which the largest of the logits is where the largest of target, as many elements, is.
func (c *graph) agreement(target []float32) (float64, error) {
	dense, ok := c.logits.(*gt.Dense)
	if !ok {
		return 0, fmt.Errorf("the logits are a %T", c.logits)
	}
	logits, err := gorgoniadense.From(dense)
	if err != nil {
		return 0, err
	}
	wanted, err := tensor.FromFloat32s(target, logits.Shape()...)
	if err != nil {
		return 0, err
	}
	got, err := ops.Argmax(logits, -1)
	if err != nil {
		return 0, err
	}
	want, err := ops.Argmax(wanted, -1)
	if err != nil {
		return 0, err
	}
	same, err := ops.Equal(got, want)
	if err != nil {
		return 0, err
	}
	share, err := ops.Mean(same)
	if err != nil {
		return 0, err
	}
	value, err := share.At()
	return float64(value), err
}

func (c *graph) close() error { return c.machine.Close() }

// builder makes a graph, and keeps the errors of a chain of operations.
type builder struct {
	g   *gg.ExprGraph
	err error
}

// matrix adds an input and returns its elements, in memory that it shares with the graph.
func (b *builder) matrix(name string, rows, cols int) (*gg.Node, []float32) {
	value, err := tensor.New(tensor.F32, rows, cols)
	if err != nil {
		return b.do(nil, err), nil
	}
	elements, err := value.Float32s()
	if err != nil {
		return b.do(nil, err), nil
	}
	dense, err := gorgoniadense.To(value)
	if err != nil {
		return b.do(nil, err), nil
	}
	return gg.NewMatrix(b.g, dense.Dtype(), gg.WithShape(rows, cols), gg.WithName(name), gg.WithValue(dense)), elements
}

func (b *builder) do(node *gg.Node, err error) *gg.Node {
	b.err = errors.Join(b.err, err)
	return node
}
