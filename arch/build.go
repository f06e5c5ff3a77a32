package arch

import (
	"cmp"
	"fmt"
	"math"

	"github.com/lever-go/lever/layers"
)

// parts makes the cache and what comes before and after the layers.
func (t *Transformer) parts(ws *layers.Workspace, o Options, caches []layers.KVLayer) (m layers.DecoderConfig, err error) {
	m.Cache, err = layers.NewKVCache(layers.KVConfig{
		Layers: caches, Context: o.Context, Type: o.KV,
	})
	if err != nil {
		return m, err
	}
	head := Head
	if t.Tied {
		head = Embedding
	}
	m.Embedding = layers.NewScaledEmbedding(ws, Embedding, max(o.Vocab, o.Mask+1), t.Width, cmp.Or(t.EmbeddingScale, 1))
	m.Norm = layers.NewRMSNorm(ws, FinalNorm, t.Width, t.NormEps)
	m.Head = layers.NewHead(ws, head, layers.HeadConfig{Vocab: o.Vocab, Stored: t.Vocab, Width: t.Width, Scale: t.HeadScale, SoftCap: t.HeadSoftCap})
	return m, nil
}

// build puts the parts together.
func (t *Transformer) build(ws *layers.Workspace, o Options) (m layers.DecoderConfig, err error) {
	caches := t.caches()
	if m, err = t.parts(ws, o, caches); err != nil {
		return m, err
	}
	norm := layers.NormConfig{Eps: t.NormEps}
	attention := layers.AttentionConfig{
		Width: t.Width, Heads: t.Heads, KVHeads: t.KVHeads, HeadDim: t.HeadDim,
		Bias: t.QKVBias, OutputBias: t.OutputBias, Sinks: t.Sinks, Cache: m.Cache, RotaryDim: t.RotaryDim, Scale: t.Scale, SoftCap: t.SoftCap, Norm: norm,
	}
	if t.QKNorm {
		attention.QKNorm = layers.HeadQKNorm
	}
	if t.LongBeta != 0 {
		attention.QueryScale = t.queryScale
	}
	global := t.Rope.Rotary(t.rotaryDim(), o.Context)
	local := global
	if t.LocalRope.Theta != 0 {
		local = t.LocalRope.Rotary(t.rotaryDim(), o.Context)
	}
	for i := range t.Layers {
		name := fmt.Sprintf("block.%d", i)
		block := layers.BlockConfig{Width: t.Width, Norm: norm, NormPosition: t.NormPosition, Residual: t.Residual}
		if t.convolves(i) {
			block.Mixer = layers.NewShortConv(ws, name, layers.ShortConvConfig{Width: t.Width, Kernel: t.Kernel})
		} else {
			attention.Rotary, attention.NoRotary = global, false
			if caches[attention.Layer].Window > 0 {
				attention.Rotary = local
			}
			if t.NoRotary != nil && t.NoRotary[i] {
				attention.Rotary, attention.NoRotary = nil, true
			}
			block.Mixer = layers.NewAttention(ws, name, attention)
			attention.Layer++
		}
		block.MLP = t.mlp(ws, name, i)
		m.Layers = append(m.Layers, layers.NewBlock(ws, name, block))
	}
	return m, nil
}

// queryScale returns what queries at a position are multiplied by.
func (t *Transformer) queryScale(position int) float32 {
	return float32(1 + t.LongBeta*math.Log(float64(1+position/t.Rope.OriginalContext)))
}

// caches returns the layers of the cache, one for each attention.
func (t *Transformer) caches() (caches []layers.KVLayer) {
	for i := range t.Layers {
		if t.convolves(i) {
			continue
		}
		cache := layers.KVLayer{KVHeads: t.KVHeads, HeadDim: t.HeadDim}
		if t.Windows != nil {
			cache.Window = t.Windows[i]
		}
		caches = append(caches, cache)
	}
	return caches
}

// mlp builds the second part of a block.
func (t *Transformer) mlp(ws *layers.Workspace, name string, layer int) layers.Sublayer {
	experts, ffn := t.feedForward(layer)
	c := layers.MLPConfig{Width: t.Width, FFN: ffn, Activation: t.Activation, Bias: t.ExpertBias}
	if experts == 0 {
		return layers.NewMLP(ws, name, c)
	}
	return layers.NewExperts(ws, name, layers.ExpertsConfig{
		Experts: experts, Chosen: t.Chosen, MLP: c, RouterBias: t.ExpertBias, KeepShares: t.KeepShares, Sigmoid: t.Sigmoid, ChoiceBias: t.ChoiceBias,
	})
}
