package layers_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// toyWeights makes random matrices as they are asked for.
type toyWeights struct{ layers.Memory }

func (w *toyWeights) matrix(name string, rows, cols int) {
	rng := rand.New(rand.NewPCG(uint64(len(name)), uint64(rows*cols)))
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(rng.NormFloat64() / math.Sqrt(float64(cols)))
	}
	if err := w.SetMatrix(name, tensor.F16, rows, cols, values); err != nil {
		panic(err)
	}
}

func (w *toyWeights) gain(name string, n int) {
	values := make([]float32, n)
	for i := range values {
		values[i] = 1
	}
	if err := w.SetMatrix(name, tensor.F32, 1, n, values); err != nil {
		panic(err)
	}
}

func toy() *toyWeights {
	w := &toyWeights{}
	w.matrix("embedding", 100, 32)
	for _, block := range []string{"block.0", "block.1"} {
		w.gain(block+".attn_norm", 32)
		for _, name := range []string{".q", ".k", ".v", ".o"} {
			w.matrix(block+name, 32, 32)
		}
		w.gain(block+".mlp_norm", 32)
		w.matrix(block+".gate", 64, 32)
		w.matrix(block+".up", 64, 32)
		w.matrix(block+".down", 32, 64)
	}
	w.gain("final_norm", 32)
	return w
}

// A decoder from a configuration: verify two continuations of a prompt in one pass, and keep one.
func ExampleDecoder() {
	model, err := arch.Parse([]byte(`{"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
		"intermediate_size": 64, "vocab_size": 100, "tie_word_embeddings": true}`))
	if err != nil {
		panic(err)
	}
	d, err := model.Decoder(toy(), arch.Options{})
	if err != nil {
		panic(err)
	}
	defer d.Close()

	ctx := context.Background()
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{10, 20, 30}}); err != nil {
		panic(err)
	}
	if err := d.Commit([]int{0, 1, 2}); err != nil {
		panic(err)
	}
	// Token 40 may follow, and then either 50 or 60.
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{40, 50, 60}, Parents: []int32{-1, 0, 0}}); err != nil {
		panic(err)
	}
	logits := make([]float32, 2*d.Vocab())
	if err := d.Project(ctx, logits, []int{1, 2}); err != nil {
		panic(err)
	}
	if err := d.Commit([]int{0, 2}); err != nil { // 40, 60
		panic(err)
	}
	fmt.Println(d.Len(), "rows of text,", len(logits), "logits")
	// Output: 5 rows of text, 200 logits
}

// parallelBlock computes attention and MLP side by side from one norm, as GPT-J does: x += attention(norm(x)) + mlp(norm(x)).
type parallelBlock struct {
	kernels   *kernels.Set
	norm      *layers.Norm
	attention *layers.Attention
	mlp       *layers.MLP
	h, a, m   []float32 // [MaxRows][width]
}

func (b *parallelBlock) Forward(ctx context.Context, x []float32, rows *layers.Rows) error {
	h, a, m := b.h[:len(x)], b.a[:len(x)], b.m[:len(x)]
	if err := b.norm.Forward(ctx, h, x); err != nil {
		return err
	}
	if err := b.attention.Forward(ctx, a, h, rows); err != nil {
		return err
	}
	if err := b.mlp.Forward(ctx, m, h, rows); err != nil {
		return err
	}
	b.kernels.Add(x, a)
	b.kernels.Add(x, m)
	return nil
}

// States says that a text can be saved: the block keeps nothing of it but keys and values.
func (b *parallelBlock) States() []layers.State { return nil }

// A decoder with a block of one's own. Cache, trees, chunks and hooks work as with any other.
func ExampleNewDecoder() {
	const vocab, width, ffn, rows, eps = 100, 32, 64, 16, 1e-5
	ws := layers.NewWorkspace(toy(), nil, rows)
	cache, err := layers.NewKVCache(layers.KVConfig{Layers: layers.UniformKV(2, layers.KVLayer{KVHeads: 4, HeadDim: 8}), Context: 512})
	if err != nil {
		panic(err)
	}
	rotary := layers.NewRotary(layers.Rope{Theta: 10000}.Frequencies(8))
	model := layers.DecoderConfig{
		Workspace: ws, Cache: cache,
		Embedding: layers.NewEmbedding(ws, "embedding", vocab, width),
		Norm:      layers.NewRMSNorm(ws, "final_norm", width, eps),
		Head:      layers.NewLinear(ws, "embedding", vocab, width),
	}
	attention := layers.AttentionConfig{Width: width, Heads: 4, KVHeads: 4, HeadDim: 8, Cache: cache, Rotary: rotary}
	scratch := func() []float32 { return make([]float32, rows*width) }
	for i, prefix := range []string{"block.0", "block.1"} {
		attention.Layer = i
		model.Layers = append(model.Layers, &parallelBlock{
			kernels:   ws.Kernels(),
			norm:      layers.NewRMSNorm(ws, prefix+".attn_norm", width, eps),
			attention: layers.NewAttention(ws, prefix, attention),
			mlp:       layers.NewMLP(ws, prefix, layers.MLPConfig{Width: width, FFN: ffn}),
			h:         scratch(), a: scratch(), m: scratch(),
		})
	}
	d, err := layers.NewDecoder(model)
	if err != nil {
		panic(err)
	}
	defer d.Close()
	first, err := d.Forward(context.Background(), layers.Batch{Tokens: []int32{1, 2, 3}})
	if err != nil {
		panic(err)
	}
	fmt.Println("hidden state of", len(d.Hidden(first+2)), "elements")
	// Output: hidden state of 32 elements
}
