package arch

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/layers"
)

// Transformer describes a dense decoder of [layers.Block]s: RMSNorm, attention with rotary positions, RMSNorm, SwiGLU. Sizes are in elements. It
// is a plain value; [Transformer.Validate] says whether it is usable.
type Transformer struct {
	Width        int // elements of a row of the residual stream (hidden_size)
	Layers       int // blocks
	Heads        int // query heads
	KVHeads      int // key and value heads; Heads is a multiple
	HeadDim      int // elements of a head, even; Heads·HeadDim need not be Width
	FFN          int // inner width of the MLP (intermediate_size)
	Vocab        int // rows of the embedding, those that pad it included
	MaxPositions int // positions that the model was made for
	NormEps      float32
	Tied         bool // the head is the embedding
	Rope         layers.Rope

	QKVBias     bool // queries, keys and values have a bias
	QKNorm      bool // queries and keys are normalised per head before the rotation
	Interleaved bool // GGUF files keep rotary pairs of q and k side by side
}

// Bounds of sizes, some times those of the largest models known.
const (
	maxWidth     = 1 << 15
	maxLayers    = 1 << 9
	maxHeads     = 1 << 10
	maxHeadDim   = 1 << 10
	maxFFN       = 1 << 17
	maxVocab     = 1 << 21
	maxPositions = 1 << 24
	maxQueryDim  = 1 << 16 // Heads·HeadDim
)

// Transformer reads the keys that all models of this kind have, and refuses what they lack: windows, other activations.
func (v *Values) Transformer() Transformer {
	t := Transformer{NormEps: 1e-6, MaxPositions: 2048}
	v.Need("hidden_size", &t.Width)
	v.Need("num_hidden_layers", &t.Layers)
	v.Need("num_attention_heads", &t.Heads)
	v.Need("intermediate_size", &t.FFN)
	v.Need("vocab_size", &t.Vocab)
	t.KVHeads = t.Heads
	v.Int("num_key_value_heads", &t.KVHeads)
	if t.Heads > 0 && t.Width%t.Heads == 0 {
		t.HeadDim = t.Width / t.Heads
	} else if !v.Has("head_dim") {
		v.Fail(fmt.Errorf("head_dim is missing, and hidden_size %d is no multiple of num_attention_heads %d", t.Width, t.Heads))
	}
	v.Int("head_dim", &t.HeadDim)
	v.Int("max_position_embeddings", &t.MaxPositions)
	v.Float32("rms_norm_eps", &t.NormEps)
	v.Bool("tie_word_embeddings", &t.Tied)
	t.Rope = v.Rope()
	v.fullAttention()
	return t
}

// Validate reports the first field that no decoder can be built from, by its name in config.json.
func (t *Transformer) Validate() error {
	for _, f := range []struct {
		key       string
		value, to int
	}{
		{"hidden_size", t.Width, maxWidth},
		{"num_hidden_layers", t.Layers, maxLayers},
		{"num_attention_heads", t.Heads, maxHeads},
		{"num_key_value_heads", t.KVHeads, maxHeads},
		{"head_dim", t.HeadDim, maxHeadDim},
		{"intermediate_size", t.FFN, maxFFN},
		{"vocab_size", t.Vocab, maxVocab},
		{"max_position_embeddings", t.MaxPositions, maxPositions},
		{"num_attention_heads·head_dim", t.Heads * t.HeadDim, maxQueryDim},
	} {
		if f.value < 1 || f.value > f.to {
			return fmt.Errorf("%s = %d is outside 1..%d", f.key, f.value, f.to)
		}
	}
	switch {
	case t.Heads%t.KVHeads != 0:
		return fmt.Errorf("num_attention_heads = %d is no multiple of num_key_value_heads = %d", t.Heads, t.KVHeads)
	case t.HeadDim%2 != 0:
		return fmt.Errorf("head_dim = %d is odd, but rotary pairs need an even size", t.HeadDim)
	case !(t.NormEps > 0 && t.NormEps < 1):
		return fmt.Errorf("rms_norm_eps = %v is outside (0, 1)", t.NormEps)
	}
	return validateRope(t.Rope, t.HeadDim)
}

// Model returns the model that t describes, which must not change any more.
func (t *Transformer) Model() (*Model, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return &Model{
		Width: t.Width, Layers: t.Layers, Vocab: t.Vocab, Positions: t.MaxPositions, NormEps: t.NormEps, Tied: &t.Tied,
		Steps: t.steps(), Build: t.build, Config: t,
	}, nil
}

// Decoder builds the decoder that t describes over weights with the names that [Transformer.Model] lists.
func (t *Transformer) Decoder(w layers.Weights, o Options) (*layers.Decoder, error) {
	m, err := t.Model()
	if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	return m.Decoder(w, o)
}

// steps lists the tensors.
func (t *Transformer) steps() [][]Tensor {
	vector := func(name, hf, gguf string, n int) Tensor {
		return Tensor{Name: name, HF: hf + ".weight", GGUF: gguf + ".weight", Rows: 1, Cols: n, Vector: true}
	}
	matrix := func(name, hf, gguf string, rows, cols int) Tensor {
		return Tensor{Name: name, HF: hf + ".weight", GGUF: gguf + ".weight", Rows: rows, Cols: cols}
	}
	queries, keys := t.Heads*t.HeadDim, t.KVHeads*t.HeadDim
	steps := [][]Tensor{{matrix(Embedding, "model.embed_tokens", "token_embd", t.Vocab, t.Width)}}
	for l := range t.Layers {
		block, hf, gguf := fmt.Sprintf("block.%d.", l), fmt.Sprintf("model.layers.%d.", l), fmt.Sprintf("blk.%d.", l)
		step := []Tensor{vector(block+"attn_norm", hf+"input_layernorm", gguf+"attn_norm", t.Width)}
		for _, p := range []struct {
			name string
			rows int
		}{{"q", queries}, {"k", keys}, {"v", keys}} {
			m := matrix(block+p.name, hf+"self_attn."+p.name+"_proj", gguf+"attn_"+p.name, p.rows, t.Width)
			if t.Interleaved && p.name != "v" {
				m.GGUFHeadDim = t.HeadDim
			}
			if step = append(step, m); t.QKVBias {
				step = append(step, Tensor{
					Name: m.Name + "_bias", HF: strings.TrimSuffix(m.HF, "weight") + "bias", GGUF: strings.TrimSuffix(m.GGUF, "weight") + "bias",
					Rows: 1, Cols: p.rows, Vector: true,
				})
			}
		}
		if t.QKNorm {
			step = append(step,
				vector(block+"q_norm", hf+"self_attn.q_norm", gguf+"attn_q_norm", t.HeadDim),
				vector(block+"k_norm", hf+"self_attn.k_norm", gguf+"attn_k_norm", t.HeadDim))
		}
		steps = append(steps, append(step,
			matrix(block+"o", hf+"self_attn.o_proj", gguf+"attn_output", t.Width, queries),
			vector(block+"mlp_norm", hf+"post_attention_layernorm", gguf+"ffn_norm", t.Width),
			matrix(block+"gate", hf+"mlp.gate_proj", gguf+"ffn_gate", t.FFN, t.Width),
			matrix(block+"up", hf+"mlp.up_proj", gguf+"ffn_up", t.FFN, t.Width),
			matrix(block+"down", hf+"mlp.down_proj", gguf+"ffn_down", t.Width, t.FFN)))
	}
	return append(steps, []Tensor{
		vector(FinalNorm, "model.norm", "output_norm", t.Width),
		{Name: Head, HF: "lm_head.weight", GGUF: "output.weight", Rows: t.Vocab, Cols: t.Width},
	})
}

// build puts the parts together.
func (t *Transformer) build(ws *layers.Workspace, o Options) (m layers.Model, err error) {
	m.Cache, err = layers.NewKVCache(layers.KVConfig{
		Layers: layers.UniformKV(t.Layers, layers.KVLayer{KVHeads: t.KVHeads, HeadDim: t.HeadDim}), Context: o.Context, Type: o.KV,
	})
	if err != nil {
		return m, err
	}
	head := Head
	if t.Tied {
		head = Embedding
	}
	m.Embedding = layers.NewEmbedding(ws, Embedding, o.Vocab, t.Width)
	m.Norm = layers.NewRMSNorm(ws, FinalNorm, t.Width, t.NormEps)
	m.Head = layers.NewHead(ws, head, layers.HeadConfig{Vocab: o.Vocab, Stored: t.Vocab, Width: t.Width})
	norm := layers.NormConfig{Eps: t.NormEps}
	attention := layers.AttentionConfig{
		Width: t.Width, Heads: t.Heads, KVHeads: t.KVHeads, HeadDim: t.HeadDim,
		Bias: t.QKVBias, Cache: m.Cache, Rotary: layers.NewRotary(t.Rope.Frequencies(t.HeadDim)), Norm: norm,
	}
	if t.QKNorm {
		attention.QKNorm = layers.HeadQKNorm
	}
	for i := range t.Layers {
		name := fmt.Sprintf("block.%d", i)
		attention.Layer = i
		m.Layers = append(m.Layers, layers.NewBlock(ws, name, layers.BlockConfig{
			Width: t.Width, Norm: norm,
			Mixer: layers.NewAttention(ws, name, attention),
			MLP:   layers.NewMLP(ws, name, layers.MLPConfig{Width: t.Width, FFN: t.FFN}),
		}))
	}
	return m, nil
}
