package layers

import "context"

// Sublayer is what a [Block] adds to the residual stream: it writes to dst what it makes of the rows x, both [rows.Len()][width]. dst does not
// overlap x. [Attention], [ShortConv], [MLP] and [Experts] are sublayers.
type Sublayer interface {
	Forward(ctx context.Context, dst, x []float32, rows *Rows) error
}

// NormPosition says where a [Block] normalises.
type NormPosition int

// Placements of norms.
const (
	NormBefore NormPosition = iota // what a sublayer reads
	NormAfter                      // what a sublayer adds
	NormAround                     // both
)

// BlockConfig describes a [Block].
type BlockConfig struct {
	Width int // elements of a row of the residual stream

	// Mixer combines rows, as [Attention] and [ShortConv] do; MLP computes each
	// row by itself, as [MLP] and [Experts] do. Both are built on the block's workspace.
	Mixer, MLP Sublayer

	Norm         NormConfig // of all norms of the block
	NormPosition NormPosition
	Residual     float32 // multiplies what the sublayers add; 0 means 1
}

// Block is a transformer block: x += Residual·mixer(norm(x)), then x += Residual·mlp(norm(x)), or with norms after the sublayers.
//
// Its tensors are, where norms are before the sublayers, name.attn_norm and name.mlp_norm, and where they are after them,
// name.attn_post_norm and name.mlp_post_norm; each is read where it is used.
type Block struct {
	ws       *Workspace
	branches [2]branch // mixer and MLP
	experts  *Experts  // the MLP, if it is of those that are asked for ahead
	residual float32
}

// branch is one of the sums of a block.
type branch struct {
	sublayer      Sublayer
	before, after *Norm // nil if there is none
}

// NewBlock returns the block whose norms start with name.
func NewBlock(ws *Workspace, name string, c BlockConfig) *Block {
	ws.wiring.block(name, &c)
	ws.reserve(&ws.norm, c.Width)
	ws.reserve(&ws.out, c.Width)
	b := &Block{ws: ws, residual: c.Residual}
	if b.residual == 0 {
		b.residual = 1
	}
	b.branches = [2]branch{newBranch(ws, name+".attn", c.Mixer, &c), newBranch(ws, name+".mlp", c.MLP, &c)}
	if e, ok := c.MLP.(*Experts); ok && e.ahead != nil {
		b.experts = e
	}
	return b
}

func newBranch(ws *Workspace, name string, s Sublayer, c *BlockConfig) branch {
	b := branch{sublayer: s}
	if c.NormPosition != NormAfter {
		b.before = NewNorm(ws, name+"_norm", c.Width, c.Norm)
	}
	if c.NormPosition != NormBefore {
		b.after = NewNorm(ws, name+"_post_norm", c.Width, c.Norm)
	}
	return b
}

// Forward adds the block's output to the residual stream x, [rows.Len()][Width].
func (b *Block) Forward(ctx context.Context, x []float32, rows *Rows) error {
	for i := range b.branches {
		if err := b.add(ctx, i, 0, x, rows); err != nil {
			return err
		}
	}
	return nil
}

// add adds the output of a branch to x, which begins at an element of the rows of a pass: scratch memory of the rows before it is left as it is.
func (b *Block) add(ctx context.Context, branch, at int, x []float32, rows *Rows) error {
	br := &b.branches[branch]
	in, err := br.input(ctx, b.ws.norm[at:], x)
	if err != nil {
		return err
	}
	out := b.ws.out[:len(x)]
	if err := br.sublayer.Forward(ctx, out, in, rows); err != nil {
		return err
	}
	return b.sum(ctx, br, x, out)
}

// sum adds to x what a branch has made, which it may change.
func (b *Block) sum(ctx context.Context, br *branch, x, out []float32) error {
	if br.after != nil {
		if err := br.after.Forward(ctx, out, out); err != nil {
			return err
		}
	}
	set := b.ws.Kernels()
	if b.residual != 1 {
		set.Scale(out, b.residual)
	}
	set.Add(x, out)
	return nil
}

// input returns what the sublayer of a branch reads: x, or normalised rows, which it puts into norm.
func (br *branch) input(ctx context.Context, norm, x []float32) ([]float32, error) {
	if br.before == nil {
		return x, nil
	}
	in := norm[:len(x)]
	return in, br.before.Forward(ctx, in, x)
}
