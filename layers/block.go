package layers

import (
	"context"
)

// Block is the transformer block of Llama and Qwen3: x += attention(norm(x)), then x += mlp(norm(x)).
//
// Its tensors start with prefix: attn_norm, those of [Attention], mlp_norm, those of [MLP].
type Block struct {
	ws        *Workspace
	width     int
	attnNorm  *RMSNorm
	attention *Attention
	mlpNorm   *RMSNorm
	mlp       *MLP
}

// NewBlock returns the block whose tensors start with prefix, with an inner MLP width of ffn.
func NewBlock(ws *Workspace, prefix string, config AttentionConfig, ffn int, rotary *Rotary, cache *KVCache, layer int) *Block {
	width := config.Width
	ws.reserve(&ws.norm, width)
	ws.reserve(&ws.out, width)
	return &Block{
		ws: ws, width: width,
		attnNorm:  NewRMSNorm(ws, prefix+".attn_norm", width, config.NormEps),
		attention: NewAttention(ws, prefix, config, rotary, cache, layer),
		mlpNorm:   NewRMSNorm(ws, prefix+".mlp_norm", width, config.NormEps),
		mlp:       NewMLP(ws, prefix, width, ffn),
	}
}

// Forward adds the block's output to the residual stream x, [rows.Len()][width].
func (b *Block) Forward(ctx context.Context, x []float32, rows *Rows) error {
	norm, out := b.ws.norm[:len(x)], b.ws.out[:len(x)]
	if err := b.attnNorm.Forward(ctx, norm, x); err != nil {
		return err
	}
	if err := b.attention.Forward(ctx, out, norm, rows); err != nil {
		return err
	}
	b.ws.Kernels().Add(x, out)
	if err := b.mlpNorm.Forward(ctx, norm, x); err != nil {
		return err
	}
	if err := b.mlp.Forward(ctx, out, norm, rows.Len()); err != nil {
		return err
	}
	b.ws.Kernels().Add(x, out)
	return nil
}
