package lever_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
)

// tensorMLP is the MLP of a Llama, written with tensor/ops.
type tensorMLP struct {
	ws         *layers.Workspace
	name       string
	width, ffn int
	arena      tensor.Arena
}

func (m *tensorMLP) Forward(ctx context.Context, dst, x []float32, rows *layers.Rows) error {
	defer m.arena.Reset()
	in, err := tensor.FromFloat32s(x, rows.Len(), m.width)
	if err != nil {
		return err
	}
	linear := func(x *tensor.Tensor, name string, outputs int) (*tensor.Tensor, error) {
		return ops.LinearParts(m.ws.Pool(), x, outputs, m.ws.Weights().Parts(ctx, m.name+name))
	}
	gate, err := linear(m.arena.Use(in), ".gate", m.ffn)
	if err != nil {
		return err
	}
	up, err := linear(m.arena.Use(in), ".up", m.ffn)
	if err != nil {
		return err
	}
	if gate, err = ops.SiLU(gate); err != nil {
		return err
	}
	inner, err := ops.Mul(gate, up)
	if err != nil {
		return err
	}
	out, err := linear(inner, ".down", m.width)
	if err != nil {
		return err
	}
	return out.CopyTo(dst)
}

// States says that the layer keeps nothing of the text.
func (m *tensorMLP) States() []layers.State { return nil }

// tensorLlama is Llama with that MLP.
func tensorLlama(built *int) *arch.Architecture {
	return &arch.Architecture{Name: "llama", Class: "LlamaForCausalLM", GGUF: "llama", Parse: func(v *arch.Values) (*arch.Model, error) {
		t := v.Transformer()
		m, err := t.Model()
		if err != nil {
			return nil, err
		}
		m.Build = func(ws *layers.Workspace, o arch.Options) (m layers.DecoderConfig, err error) {
			kv := layers.UniformKV(t.Layers, layers.KVLayer{KVHeads: t.KVHeads, HeadDim: t.HeadDim})
			if m.Cache, err = layers.NewKVCache(layers.KVConfig{Layers: kv, Context: o.Context, Type: o.KV}); err != nil {
				return m, err
			}
			m.Embedding = layers.NewEmbedding(ws, arch.Embedding, o.Vocab, t.Width)
			m.Norm = layers.NewRMSNorm(ws, arch.FinalNorm, t.Width, t.NormEps)
			m.Head = layers.NewHead(ws, map[bool]string{true: arch.Embedding, false: arch.Head}[t.Tied], layers.HeadConfig{Vocab: o.Vocab, Stored: t.Vocab, Width: t.Width})
			rotary := t.Rope.Rotary(t.HeadDim, o.Context)
			for i := range t.Layers {
				name := fmt.Sprintf("block.%d", i)
				*built++
				m.Layers = append(m.Layers, layers.NewBlock(ws, name, layers.BlockConfig{
					Width: t.Width, Norm: layers.NormConfig{Eps: t.NormEps},
					Mixer: layers.NewAttention(ws, name, layers.AttentionConfig{
						Width: t.Width, Heads: t.Heads, KVHeads: t.KVHeads, HeadDim: t.HeadDim, Cache: m.Cache, Rotary: rotary, Layer: i,
					}),
					MLP: &tensorMLP{ws: ws, name: name, width: t.Width, ffn: t.FFN},
				}))
			}
			return m, nil
		}
		return m, nil
	}}
}

// TestLayerOfTensors: a layer that is written with tensor/ops, in a streamed model with a draft, writes what the library's own layer writes, token by
// token, with trees and in plain decoding.
func TestLayerOfTensors(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	built := 0
	write := func(own []*arch.Architecture, policy string, budget int) lever.Result {
		engine := open(t, lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 8 << 20, Architectures: own})
		p, err := lever.NewPolicy(policy, budget)
		if err != nil {
			t.Fatal(err)
		}
		result, err := engine.Generate(t.Context(), lever.Request{Prompt: "def fibonacci(n):", Raw: true, MaxTokens: 24, Policy: p}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if result.BytesRead == 0 {
			t.Error("the model is not streamed")
		}
		return result
	}
	want := write(nil, "none", 1)
	own := []*arch.Architecture{tensorLlama(&built)}
	plain, tree := write(own, "none", 1), write(own, "specinfer", 12)
	if built == 0 {
		t.Fatal("the architecture was not asked")
	}
	if !slices.Equal(plain.TokenIDs, want.TokenIDs) || !slices.Equal(tree.TokenIDs, want.TokenIDs) {
		t.Errorf("got %v and with trees %v, want %v", plain.TokenIDs, tree.TokenIDs, want.TokenIDs)
	}
	if tree.Passes >= tree.Tokens || tree.Drafted == 0 {
		t.Errorf("nothing was accepted: %d passes for %d tokens, %d drafted", tree.Passes, tree.Tokens, tree.Drafted)
	}
}
