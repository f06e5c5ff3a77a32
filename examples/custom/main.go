// Command custom runs an architecture of its own: a block that computes attention and MLP side by side, as GPT-NeoX does, built from the parts of
// package layers. Everything else is the library's: conversion, streaming, trees, sessions, the server.
//
//	go run ./examples/custom -model MODEL -draft DRAFT -dram 2048 "def fibonacci(n):"
//
// Its models are Llamas, which saves training one here. As they were trained for another block, they write nonsense; the same nonsense
// with a draft and without, which the program checks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
)

// parallel is the architecture. It has the names of Llama's, which it is asked before.
var parallel = &arch.Architecture{
	Name: "llama", Class: "LlamaForCausalLM", GGUF: "llama",
	Parse: func(v *arch.Values) (*arch.Model, error) {
		t := v.Transformer() // the usual sizes, and the usual tensors
		t.Interleaved = true
		m, err := t.Model()
		if err != nil {
			return nil, err
		}
		m.Build = func(ws *layers.Workspace, o arch.Options) (layers.DecoderConfig, error) { return build(t, ws, o) }
		return m, nil
	},
}

// build puts the parts of the decoder together.
func build(t arch.Transformer, ws *layers.Workspace, o arch.Options) (m layers.DecoderConfig, err error) {
	m.Cache, err = layers.NewKVCache(layers.KVConfig{
		Layers: layers.UniformKV(t.Layers, layers.KVLayer{KVHeads: t.KVHeads, HeadDim: t.HeadDim}), Context: o.Context, Type: o.KV,
	})
	if err != nil {
		return m, err
	}
	head := arch.Head
	if t.Tied {
		head = arch.Embedding
	}
	m.Embedding = layers.NewEmbedding(ws, arch.Embedding, o.Vocab, t.Width)
	m.Norm = layers.NewRMSNorm(ws, arch.FinalNorm, t.Width, t.NormEps)
	m.Head = layers.NewHead(ws, head, layers.HeadConfig{Vocab: o.Vocab, Stored: t.Vocab, Width: t.Width})
	attention := layers.AttentionConfig{
		Width: t.Width, Heads: t.Heads, KVHeads: t.KVHeads, HeadDim: t.HeadDim,
		Cache: m.Cache, Rotary: t.Rope.Rotary(t.HeadDim, o.Context),
	}
	scratch := func() []float32 { return make([]float32, ws.MaxRows()*t.Width) }
	normed, attended, out := scratch(), scratch(), scratch()
	for i := range t.Layers {
		name := fmt.Sprintf("block.%d", i)
		attention.Layer = i
		m.Layers = append(m.Layers, &block{
			ws:        ws,
			attnNorm:  layers.NewRMSNorm(ws, name+".attn_norm", t.Width, t.NormEps),
			attention: layers.NewAttention(ws, name, attention),
			mlpNorm:   layers.NewRMSNorm(ws, name+".mlp_norm", t.Width, t.NormEps),
			mlp:       layers.NewMLP(ws, name, layers.MLPConfig{Width: t.Width, FFN: t.FFN}),
			normed:    normed, attended: attended, out: out,
		})
	}
	return m, nil
}

// block adds attention(norm(x)) + mlp(norm(x)) to x.
type block struct {
	ws                *layers.Workspace
	attnNorm, mlpNorm *layers.Norm
	attention         *layers.Attention
	mlp               *layers.MLP

	normed, attended, out []float32 // [MaxRows][width], shared by all blocks
}

// Forward asks for its weights in the order in which the store keeps them, so that the stream runs ahead of it.
func (b *block) Forward(ctx context.Context, x []float32, rows *layers.Rows) error {
	normed, attended, out := b.normed[:len(x)], b.attended[:len(x)], b.out[:len(x)]
	if err := b.attnNorm.Forward(ctx, normed, x); err != nil {
		return err
	}
	if err := b.attention.Forward(ctx, attended, normed, rows); err != nil {
		return err
	}
	if err := b.mlpNorm.Forward(ctx, normed, x); err != nil {
		return err
	}
	if err := b.mlp.Forward(ctx, out, normed, rows); err != nil {
		return err
	}
	b.ws.Kernels().Add(x, attended)
	b.ws.Kernels().Add(x, out)
	return nil
}

// States says that a text can be saved: the block keeps nothing of it but keys and values.
func (b *block) States() []layers.State { return nil }

func main() {
	model := flag.String("model", "", "Llama that is the target: a store, a Hugging Face folder or a GGUF file")
	draft := flag.String("draft", "", "small Llama with the same tokens")
	dram := flag.Int64("dram", 0, "MiB of memory for the target's weights; 0 keeps all in memory")
	maxTokens := flag.Int("max-tokens", 64, "most tokens")
	flag.Parse()
	if *model == "" || *draft == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, `usage: custom -model MODEL -draft DRAFT [-dram MiB] [-max-tokens N] "text"`)
		os.Exit(2)
	}
	config := lever.Config{Model: *model, Draft: *draft, DRAM: *dram << 20}
	if err := run(context.Background(), config, lever.Request{Prompt: flag.Arg(0), Raw: true, MaxTokens: *maxTokens}); err != nil {
		fmt.Fprintln(os.Stderr, "custom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config lever.Config, request lever.Request) (err error) {
	config.Architectures = []*arch.Architecture{parallel}
	engine, err := lever.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	// A fixed chain, so that something is drafted however badly the two models agree. The default policy drafts what pays.
	if request.Policy, err = lever.NewPolicy("chain", 4); err != nil {
		return err
	}
	speculative, err := engine.Generate(ctx, request, nil)
	if err != nil {
		return err
	}
	if request.Policy, err = lever.NewPolicy("none", 1); err != nil {
		return err
	}
	plain, err := engine.Generate(ctx, request, nil)
	if err != nil {
		return err
	}
	fmt.Println(speculative.Text)
	s := speculative.Stats
	fmt.Fprintf(os.Stderr, "tokens %d, passes %d, drafted %d; %.1f MB read\n", s.Tokens, s.Passes, s.Drafted, float64(s.BytesRead)/1e6)
	if !slices.Equal(speculative.TokenIDs, plain.TokenIDs) {
		return errors.New("plain decoding writes something else")
	}
	fmt.Fprintln(os.Stderr, "plain decoding writes the same")
	return nil
}
