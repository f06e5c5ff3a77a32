package layers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// custom is a layer of one's own.
type custom struct {
	forward func(ctx context.Context, x []float32, rows *layers.Rows) error
}

func (c custom) Forward(ctx context.Context, x []float32, rows *layers.Rows) error {
	return c.forward(ctx, x, rows)
}

// stateful is a layer that says what it keeps.
type stateful struct{ states []layers.State }

func (s stateful) Forward(context.Context, []float32, *layers.Rows) error { return nil }
func (s stateful) States() []layers.State                                 { return s.states }

// silent is a sublayer that does not say what it keeps.
type silent struct{}

func (silent) Forward(context.Context, []float32, []float32, *layers.Rows) error { return nil }

// altUpOf returns a layer of Gemma 3n with a mixer of one's own.
func altUpOf(mixer layers.Sublayer) layers.Layer {
	ws := layers.NewWorkspace(&layers.Memory{}, nil, 8)
	inputs := layers.NewLayerInputs(ws, "inputs", layers.LayerInputsConfig{Width: 32, Layers: 1, Dim: 8, Vocab: 5})
	return layers.NewAltUp(ws, "altup", layers.AltUpConfig{Width: 32, Streams: 2}).Block("block.0", layers.AltUpBlockConfig{
		Mixer: mixer, MLP: layers.NewMLP(ws, "block.0", layers.MLPConfig{Width: 32, FFN: 64}), Rank: 4, Gate: inputs.Gate("block.0", 0, layers.SiLU),
	})
}

// parts is what a small model is assembled of; a test changes some of it.
type parts struct {
	attention         layers.AttentionConfig
	rotary, layer     int // dimensions of heads in the rotary; layer of the cache
	normWidth, headIn int
	ffn               int
	activation        layers.Activation
	experts           layers.ExpertsConfig
	conv              bool // without a kernel
	gate              int  // of a layer, unless it is 0
	block             *layers.BlockConfig
	otherCache, twice bool
	otherWorkspace    bool
	noRotary, noCache bool
	nilLayer, noNorm  bool
	layers            []layers.Layer
}

// assemble builds the model that p describes: 4 heads of 8 on a cache of 4 heads of 8, rows of 32 elements.
func (p parts) assemble(t *testing.T) (*layers.Decoder, *layers.Attention, error) {
	t.Helper()
	const vocab, width, rows = 90, 32, 8
	w := &layers.Memory{}
	ws := layers.NewWorkspace(w, nil, rows)
	cache := func() *layers.KVCache {
		c, err := layers.NewKVCache(layers.KVConfig{Layers: layers.UniformKV(2, layers.KVLayer{KVHeads: 4, HeadDim: 8}), Context: 64})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	model := layers.DecoderConfig{
		Workspace: ws, Cache: cache(),
		Embedding: layers.NewEmbedding(ws, "embedding", vocab, width),
		Norm:      layers.NewRMSNorm(ws, "final_norm", p.normWidth, 1e-5),
		Head:      layers.NewLinear(ws, "embedding", vocab, p.headIn),
	}
	rotary := layers.NewRotary(layers.Rope{Theta: 1e4}.Frequencies(p.rotary))
	used := model.Cache
	switch {
	case p.otherCache:
		used = cache()
	case p.noCache:
		used = nil
	}
	if p.noRotary {
		rotary = nil
	}
	p.attention.Rotary, p.attention.Cache, p.attention.Layer = rotary, used, p.layer
	attention := layers.NewAttention(ws, "block.0", p.attention)
	if p.twice {
		layers.NewAttention(ws, "block.1", p.attention)
	}
	layers.NewMLP(ws, "block.0", layers.MLPConfig{Width: width, FFN: p.ffn, Activation: p.activation})
	if p.experts.Experts > 0 {
		layers.NewExperts(ws, "moe", p.experts)
	}
	if p.gate != 0 {
		layers.NewLayerInputs(ws, "inputs", layers.LayerInputsConfig{Width: 32, Layers: 2, Dim: 8, Vocab: 5}).Gate("block.0", p.gate, layers.SiLU)
	}
	if p.conv {
		layers.NewShortConv(ws, "conv", layers.ShortConvConfig{Width: 32})
	}
	if p.block != nil {
		layers.NewBlock(ws, "block.0", *p.block)
	}
	if p.otherWorkspace {
		model.Workspace = layers.NewWorkspace(w, nil, rows)
	}
	if p.noNorm {
		model.Norm = nil
	}
	model.Layers = p.layers
	if p.nilLayer {
		model.Layers = append(model.Layers, nil)
	}
	d, err := layers.NewDecoder(model)
	return d, attention, err
}

func right() parts {
	return parts{attention: layers.AttentionConfig{Width: 32, Heads: 4, KVHeads: 4, HeadDim: 8}, rotary: 8, normWidth: 32, headIn: 32, ffn: 64}
}

// TestWiring: what would panic in a pass, or compute nonsense, is told when the parts are put together.
func TestWiring(t *testing.T) {
	if _, _, err := right().assemble(t); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*parts){
		"block.0: 2 key-value heads of 8 elements on a layer of a KVCache with 4 of 8": func(p *parts) { p.attention.KVHeads = 2 },
		"block.0: 4 key-value heads of 4 elements on a layer of a KVCache with 4 of 8": func(p *parts) { p.attention.HeadDim, p.rotary = 4, 4 },
		"block.0: a Rotary for 16 elements where 8 of the 8 of a head":                 func(p *parts) { p.rotary = 16 },
		"block.0: a Rotary for 4 elements where 8 of the 8 of a head":                  func(p *parts) { p.rotary = 4 },
		"block.0: a Rotary for 12 elements where 12 of the 8 of a head":                func(p *parts) { p.rotary, p.attention.RotaryDim = 12, 12 },
		"block.0: it has a Rotary and is said to have none":                            func(p *parts) { p.attention.NoRotary = true },
		"block.0: there is no QKNorm 3":                                                func(p *parts) { p.attention.QKNorm = 3 },
		"block.0: there is no Activation 5":                                            func(p *parts) { p.activation = 5 },
		"moe: 3 of 2 experts": func(p *parts) {
			p.experts = layers.ExpertsConfig{Experts: 2, Chosen: 3, MLP: layers.MLPConfig{Width: 32, FFN: 8}}
		},
		"moe: a size of 0": func(p *parts) { p.experts = layers.ExpertsConfig{Experts: 2} },
		"moe.expert.0: ClampedSwiGLU needs a gate": func(p *parts) {
			p.experts = layers.ExpertsConfig{Experts: 1, Chosen: 1, MLP: layers.MLPConfig{Width: 32, FFN: 8, Activation: layers.ClampedSwiGLU, Ungated: true}}
		},
		"conv: a size of 0":                                                 func(p *parts) { p.conv = true },
		"block.0: there is no NormPosition -1":                              func(p *parts) { p.block = &layers.BlockConfig{Width: 32, NormPosition: -1} },
		"block.0: it has no Mixer":                                          func(p *parts) { p.block = &layers.BlockConfig{Width: 32} },
		"block.0: 6 query heads are no multiple of 4 key-value heads":       func(p *parts) { p.attention.Heads = 6 },
		"block.0: layer 2 of a KVCache of 2 layers":                         func(p *parts) { p.layer = 2 },
		"block.0: layer -1 of a KVCache of 2 layers":                        func(p *parts) { p.layer = -1 },
		"block.0: a size of 0":                                              func(p *parts) { p.attention.Width = 0 },
		"block.0: a size of -4":                                             func(p *parts) { p.attention.KVHeads = -4 },
		"block.1: layer 0 of the KVCache is that of block.0":                func(p *parts) { p.twice = true },
		"block.0: no attention that was built earlier writes to layer 0":    func(p *parts) { p.attention.SharedKV = true },
		"block.0: a gate with SiLU of layer 2 of 2":                         func(p *parts) { p.gate = 2 },
		"block.0: it has no Rotary, and NoRotary is not set":                func(p *parts) { p.noRotary = true },
		"block.0: it has no KVCache":                                        func(p *parts) { p.noCache = true },
		"an attention uses another KVCache than the model's":                func(p *parts) { p.otherCache = true },
		"embedding, norm and head are not all built on its Workspace":       func(p *parts) { p.otherWorkspace = true },
		"rows of 32 elements from the embedding, 16 in the norm, 32 in the": func(p *parts) { p.normWidth = 16 },
		"rows of 32 elements from the embedding, 32 in the norm, 64 in the": func(p *parts) { p.headIn = 64 },
		"final_norm: a size of -1":                                          func(p *parts) { p.normWidth = -1 },
		"block.0.gate: a size of 0":                                         func(p *parts) { p.ffn = 0 },
		"layer 0: is nil":                                                   func(p *parts) { p.nilLayer = true },
		"must all be set":                                                   func(p *parts) { p.noNorm = true },
	} {
		p := right()
		change(&p)
		if _, _, err := p.assemble(t); !errors.Is(err, layers.ErrWiring) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestWiringSaysOnceWhatIsWrongWithAllLayers: a wrong name of a tensor is one line, not one for each layer.
func TestWiringSaysOnceWhatIsWrongWithAllLayers(t *testing.T) {
	ws := layers.NewWorkspace(&layers.Memory{}, nil, 1)
	config := layers.DecoderConfig{
		Workspace: ws, Embedding: layers.NewEmbedding(ws, "embedding", 8, 32), Norm: layers.NewRMSNorm(ws, "norm", 32, 1e-5), Head: layers.NewLinear(ws, "head", 8, 32),
	}
	var err error
	if config.Cache, err = layers.NewKVCache(layers.KVConfig{Context: 8}); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		layers.NewLinear(ws, fmt.Sprintf("block.%d.q", i), 0, 32)
		layers.NewLinear(ws, fmt.Sprintf("block.%d.k", i), 0, 16+16*(i/11))
	}
	_, err = layers.NewDecoder(config)
	const want = "parts do not fit: block.0.q, and 11 more such parts: a size of 0; all of [0 0 32] must be positive\n" +
		"block.0.k, and 10 more such parts: a size of 0; all of [0 0 16] must be positive\nblock.11.k: a size of 0; all of [0 0 32] must be positive"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// pending returns n rows of which nothing is known.
func pending(n int) *layers.Rows { return &layers.Rows{Pending: make([]int, n)} }

// TestMisusedParts: rows that do not fit a part are an error of the pass, not a panic.
func TestMisusedParts(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.Q8_0)
	const rows = 4
	ws := layers.NewWorkspace(w, nil, rows)
	x, short := make([]float32, 2*cfg.Width), make([]float32, cfg.Width)
	norm := layers.NewRMSNorm(ws, "final_norm", cfg.Width, 1e-5)
	mlp := layers.NewMLP(ws, "block.0", layers.MLPConfig{Width: cfg.Width, FFN: cfg.FFN})
	linear := layers.NewLinear(ws, "block.0.gate", cfg.FFN, cfg.Width)
	vector := layers.NewLinear(ws, "final_norm", 1, cfg.Width)
	for name, err := range map[string]error{
		"norm, in":       norm.Forward(ctx, x[1:], x[1:]),
		"norm, out":      norm.Forward(ctx, short, x),
		"mlp, in":        mlp.Forward(ctx, x, short, pending(2)),
		"mlp, out":       mlp.Forward(ctx, short, x, pending(2)),
		"mlp, rows":      mlp.Forward(ctx, make([]float32, 5*cfg.Width), make([]float32, 5*cfg.Width), pending(5)),
		"linear, out":    linear.Forward(ctx, short, ws.Input(x, 2, cfg.Width)),
		"linear, in":     linear.Forward(ctx, make([]float32, cfg.FFN), ws.Input(x, 1, cfg.Width/2)),
		"linear, vector": vector.Forward(ctx, short, ws.Input(x, 1, cfg.Width)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p := right()
	_, attention, err := p.assemble(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := attention.Forward(ctx, make([]float32, 32), make([]float32, 33), &layers.Rows{Pending: []int{0}}); err == nil {
		t.Error("attention: no error")
	}
}

// TestStateOfStatefulLayers: a text of which layers may keep more than keys and values is not saved without it.
func TestStateOfStatefulLayers(t *testing.T) {
	identity := custom{func(context.Context, []float32, *layers.Rows) error { return nil }}
	for name, test := range map[string]struct {
		layer layers.Layer
		fails bool
	}{
		"says nothing": {identity, true}, "keeps none": {stateful{}, false}, "keeps state": {stateful{[]layers.State{layers.NewRowStates(3)}}, false},
		"a chain with one that says nothing": {layers.Chain{stateful{}, identity}, true}, "a block with one that says nothing": {altUpOf(silent{}), true},
	} {
		p := right()
		p.layers = []layers.Layer{test.layer}
		d, _, err := p.assemble(t)
		if err != nil {
			t.Fatal(err)
		}
		var state bytes.Buffer
		err = d.WriteState(&state)
		if errors.Is(err, layers.ErrStateful) != test.fails || (err != nil) != test.fails || test.fails && state.Len() > 0 {
			t.Errorf("%s: written %d bytes, %v", name, state.Len(), err)
		}
		if err := d.ReadState(io.MultiReader(&state)); errors.Is(err, layers.ErrStateful) != test.fails {
			t.Errorf("%s: read: %v", name, err)
		}
	}
}
