package npu

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// Graph is a computation on a batch of n rows: steps, in the order in which they run, on operands. What a step writes and Outputs does not
// name is temporary; every other operand is bound when the program is submitted.
type Graph struct {
	Operands []Operand
	Steps    []Step
	Outputs  []int // operands
}

// Operand is what steps read or write.
type Operand struct {
	Name string // for messages
	Kind Kind
	Type tensor.DType // of Weights; otherwise the kind says it
	Rows int          // of Weights and Cache
	Cols int
}

// Kind is what an operand is.
type Kind uint8

const (
	// Rows are float32 [n][Cols]; Cols 0 stands for the batch size.
	Rows Kind = iota
	// Weights are a matrix [Rows][Cols] of a packed type, in the layout of [tensor.Packed], bound as parts.
	Weights
	// Vector is float32 [Cols].
	Vector
	// Cache is F16 [heads][Rows][Cols/heads]: keys or values of Rows positions, Cols elements each.
	Cache
)

// Step is one operation.
type Step struct {
	Op   Op
	Args []int // operands that it reads
	Out  int   // operand of kind Rows that it writes; no step has written it before, and it is none of Args
	// Eps is that of a norm.
	Eps float32
	// Heads of a RoPE step; query heads of an Attention step.
	Heads int
	// KVHeads of an Attention step divide Heads; each serves Heads/KVHeads query heads that stand side by side.
	KVHeads int
	// Scale of an Attention step multiplies the products of queries and keys.
	Scale float32
}

// Op is a kind of step. The functions of package kernels define the results; x, y are rows.
type Op uint8

const (
	// MatMul: y = W·x for each row. Args: W (Weights), x.
	MatMul Op = iota
	// RMSNorm: y = x / √(mean(x²)+Eps) · gain, over each run of as many elements as gain has: over whole rows, or over heads. Args: x, gain
	// (Vector).
	RMSNorm
	// RoPE: y is x with pair (i, i+d/2) of each head of d elements turned by the row's angle i. Args: x, cos, sin, both of d/2 columns.
	RoPE
	// SiLUMul: y = silu(gate) ⊙ up. Args: gate, up.
	SiLUMul
	// Add: y = a + b. Args: a, b.
	Add
	// Attention: y = softmax(Scale·q·kᵀ)·v for each query head. A row attends to the positions of the caches for which its row of past is not
	// negative, in their order, and then to the rows of the batch for which its row of tree is not negative, in theirs: at least to one. k and v
	// are those of the batch, rounded to F16. Args: q, kCache, vCache (Cache), k, v, past ([n][positions]), tree (Cols 0: [n][n]).
	Attention
)

var ops = [...]struct {
	name string
	args []Kind
}{
	MatMul:    {"MatMul", []Kind{Weights, Rows}},
	RMSNorm:   {"RMSNorm", []Kind{Rows, Vector}},
	RoPE:      {"RoPE", []Kind{Rows, Rows, Rows}},
	SiLUMul:   {"SiLUMul", []Kind{Rows, Rows}},
	Add:       {"Add", []Kind{Rows, Rows}},
	Attention: {"Attention", []Kind{Rows, Cache, Cache, Rows, Rows, Rows, Rows}},
}

// String returns the name of op.
func (op Op) String() string {
	if int(op) < len(ops) {
		return ops[op].name
	}
	return fmt.Sprintf("op(%d)", uint8(op))
}

// Projection returns the graph y = W·x for a matrix [out][in] of type d. Its operands are W, x and y.
func Projection(d tensor.DType, out, in int) Graph {
	return Graph{
		Operands: []Operand{
			{Name: "W", Kind: Weights, Type: d, Rows: out, Cols: in},
			{Name: "x", Kind: Rows, Cols: in},
			{Name: "y", Kind: Rows, Cols: out},
		},
		Steps:   []Step{{Op: MatMul, Args: []int{0, 1}, Out: 2}},
		Outputs: []int{2},
	}
}

// Temporary reports whether an operand is neither an input nor an output, and so is not bound.
func (g *Graph) Temporary(operand int) bool {
	if slices.Contains(g.Outputs, operand) {
		return false
	}
	for i := range g.Steps {
		if g.Steps[i].Out == operand {
			return true
		}
	}
	return false
}

// Check reports what is wrong with g, such as shapes that do not fit. Drivers call it first in Compile.
func (g *Graph) Check() error {
	for i, o := range g.Operands {
		if err := o.check(); err != nil {
			return fmt.Errorf("npu: graph: operand %d (%s): %w", i, o.Name, err)
		}
	}
	written := make([]bool, len(g.Operands))
	read := make([]bool, len(g.Operands))
	for i, s := range g.Steps {
		if err := g.checkStep(s); err != nil {
			return fmt.Errorf("npu: graph: step %d (%v): %w", i, s.Op, err)
		}
		for _, a := range s.Args {
			read[a] = true
		}
		if read[s.Out] || written[s.Out] {
			return fmt.Errorf("npu: graph: step %d (%v): operand %d was read or written before", i, s.Op, s.Out)
		}
		written[s.Out] = true
	}
	if len(g.Outputs) == 0 {
		return fmt.Errorf("npu: graph: no outputs")
	}
	for _, o := range g.Outputs {
		if o < 0 || o >= len(written) || !written[o] {
			return fmt.Errorf("npu: graph: output %d: no step writes it", o)
		}
	}
	return nil
}

func (o *Operand) check() error {
	switch {
	case o.Cols < 0 || o.Rows < 0 || o.Cols == 0 && o.Kind != Rows:
		return fmt.Errorf("a shape of [%d %d]", o.Rows, o.Cols)
	case o.Kind == Weights && (!tensor.Packable(o.Type) || o.Rows == 0 || o.Cols%o.Type.BlockElems() != 0):
		return fmt.Errorf("%v matrix [%d %d] has no packed form", o.Type, o.Rows, o.Cols)
	case o.Kind == Cache && o.Rows == 0:
		return fmt.Errorf("a cache of no positions")
	case o.Kind > Cache:
		return fmt.Errorf("kind %d", o.Kind)
	}
	return nil
}

func (g *Graph) checkStep(s Step) error {
	if int(s.Op) >= len(ops) {
		return fmt.Errorf("no such operation")
	}
	kinds := ops[s.Op].args
	if len(s.Args) != len(kinds) {
		return fmt.Errorf("%d arguments, it takes %d", len(s.Args), len(kinds))
	}
	args := make([]*Operand, len(s.Args))
	for i, a := range s.Args {
		if a < 0 || a >= len(g.Operands) || g.Operands[a].Kind != kinds[i] {
			return fmt.Errorf("argument %d: operand %d is not of kind %d", i, a, kinds[i])
		}
		args[i] = &g.Operands[a]
	}
	if s.Out < 0 || s.Out >= len(g.Operands) || g.Operands[s.Out].Kind != Rows || g.Operands[s.Out].Cols == 0 {
		return fmt.Errorf("result: operand %d is not of kind %d", s.Out, Rows)
	}
	if !s.fits(args, &g.Operands[s.Out]) {
		text := ""
		for _, a := range args {
			text += fmt.Sprintf(" [%d %d]", a.Rows, a.Cols)
		}
		return fmt.Errorf("shapes%s do not give %d columns (heads %d and %d)", text, g.Operands[s.Out].Cols, s.Heads, s.KVHeads)
	}
	return nil
}

// fits reports whether the shapes of arguments and result agree.
func (s *Step) fits(a []*Operand, out *Operand) bool {
	switch s.Op {
	case MatMul:
		return a[0].Cols == a[1].Cols && a[0].Rows == out.Cols
	case RMSNorm:
		return a[0].Cols == out.Cols && a[0].Cols%a[1].Cols == 0
	case RoPE:
		return a[0].Cols == out.Cols && s.Heads > 0 && a[0].Cols%(2*s.Heads) == 0 &&
			a[1].Cols == a[0].Cols/s.Heads/2 && a[2].Cols == a[1].Cols
	case SiLUMul, Add:
		return a[0].Cols == a[1].Cols && a[0].Cols == out.Cols
	case Attention:
		if s.KVHeads <= 0 || s.Heads <= 0 || s.Heads%s.KVHeads != 0 || a[0].Cols%s.Heads != 0 {
			return false
		}
		kv := a[0].Cols / s.Heads * s.KVHeads
		return a[0].Cols == out.Cols && a[1].Cols == kv && a[2].Cols == kv && a[1].Rows == a[2].Rows && a[3].Cols == kv &&
			a[4].Cols == kv && a[5].Cols == a[1].Rows && a[6].Cols == 0
	}
	return false
}
