package layers_test

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
)

// reluMLP is down·relu(up·x)², written on tensors.
type reluMLP struct {
	ws         *layers.Workspace
	name       string
	width, ffn int
	arena      tensor.Arena // the results of a pass take the memory of those of the one before
}

func (m *reluMLP) Forward(ctx context.Context, dst, x []float32, rows *layers.Rows) error {
	defer m.arena.Reset()
	in, err := tensor.FromFloat32s(x, rows.Len(), m.width) // the memory of x
	if err != nil {
		return err
	}
	weights, pool := m.ws.Weights(), m.ws.Pool()
	h, err := ops.LinearParts(pool, m.arena.Use(in), m.ffn, weights.Parts(ctx, m.name+".up"))
	if err != nil {
		return err
	}
	if h, err = ops.ReLU(h); err != nil {
		return err
	}
	if h, err = ops.Mul(h, h); err != nil {
		return err
	}
	out, err := ops.LinearParts(pool, h, m.width, weights.Parts(ctx, m.name+".down"))
	if err != nil {
		return err
	}
	return out.CopyTo(dst)
}

// States says that a text can be saved: the part keeps nothing of it.
func (m *reluMLP) States() []layers.State { return nil }

// A part that is written with tensor/ops. As these compute each row by itself, trees and streaming work with it; the documentation of tensor/ops says
// which do.
func ExampleSublayer() {
	const vocab, width, ffn, eps = 100, 32, 64, 1e-5
	ws := layers.NewWorkspace(toy(), nil, 16)
	cache, err := layers.NewKVCache(layers.KVConfig{Layers: layers.UniformKV(2, layers.KVLayer{KVHeads: 4, HeadDim: 8}), Context: 512})
	if err != nil {
		panic(err)
	}
	model := layers.DecoderConfig{
		Workspace: ws, Cache: cache,
		Embedding: layers.NewEmbedding(ws, "embedding", vocab, width),
		Norm:      layers.NewRMSNorm(ws, "final_norm", width, eps),
		Head:      layers.NewLinear(ws, "embedding", vocab, width),
	}
	rotary := layers.NewRotary(layers.Rope{Theta: 10000}.Frequencies(8))
	for i, name := range []string{"block.0", "block.1"} {
		model.Layers = append(model.Layers, layers.NewBlock(ws, name, layers.BlockConfig{
			Width: width, Norm: layers.NormConfig{Eps: eps},
			Mixer: layers.NewAttention(ws, name, layers.AttentionConfig{
				Width: width, Heads: 4, KVHeads: 4, HeadDim: 8, Cache: cache, Rotary: rotary, Layer: i,
			}),
			MLP: &reluMLP{ws: ws, name: name, width: width, ffn: ffn},
		}))
	}
	d, err := layers.NewDecoder(model)
	if err != nil {
		panic(err)
	}
	defer d.Close()
	ctx := context.Background()
	tree := layers.Batch{Tokens: []int32{1, 2, 3, 4}, Parents: []int32{-1, 0, 0, 2}} // 1, then 2, or 3 and 4
	if _, err := d.Forward(ctx, tree); err != nil {
		panic(err)
	}
	inTree := make([]float32, vocab)
	if err := d.Project(ctx, inTree, []int{3}); err != nil {
		panic(err)
	}
	if err := d.Commit(nil); err != nil {
		panic(err)
	}
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1, 3, 4}}); err != nil {
		panic(err)
	}
	plain := make([]float32, vocab)
	if err := d.Project(ctx, plain, []int{2}); err != nil {
		panic(err)
	}
	a, b := tensor.Must(tensor.FromFloat32s(inTree)), tensor.Must(tensor.FromFloat32s(plain))
	fmt.Println("the same logits:", tensor.Equal(a, b))
	// Output: the same logits: true
}
