package arch

import (
	"cmp"
	"fmt"

	"github.com/lever-go/lever/layers"
)

// Transformer describes a decoder of [layers.Block]s: RMSNorm, attention with rotary positions, RMSNorm, and a gated MLP or experts. Sizes are in elements.
// What is zero is as in Llama. It is a plain value; [Transformer.Validate] says whether it is usable.
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

	Rope      layers.Rope
	RotaryDim int         // elements of a head that are rotated; 0 means HeadDim
	LocalRope layers.Rope // of the layers with a window, unless its Theta is 0
	NoRotary  []bool      // by layer: it has no rotary positions; nil if all have
	Windows   []int       // by layer: positions that a row sees, its own included, 0 for all; nil if all layers see all

	Convolutions []bool // by layer: it has a short convolution in place of attention; nil if none has
	Kernel       int    // rows that a row of a convolution is computed from, its own included

	QKVBias      bool                // queries, keys and values have a bias
	OutputBias   bool                // so has the output projection
	Sinks        bool                // each query head has a learned score that takes part in the softmax without a value
	QKNorm       bool                // queries and keys are normalised per head before the rotation
	Scale        float32             // of query·key; 0 means 1/√HeadDim
	SoftCap      float32             // of scores; 0 means none
	LongBeta     float64             // queries at position p are multiplied by 1 + LongBeta·ln(1 + ⌊p/Rope.OriginalContext⌋); 0 means that they are not
	NormPosition layers.NormPosition // of the norms of a block

	Experts    int  // of a block, in place of its MLP, each with the inner width FFN; 0 means that there are none
	Chosen     int  // experts of a row
	KeepShares bool // the weights of the chosen experts are not scaled to sum up to 1
	ExpertBias bool // router and experts have biases
	Sigmoid    bool // the weight of an expert is the sigmoid of its score
	ChoiceBias bool // a vector is added to the weights to choose experts
	FirstDense int  // so many of the first layers have an MLP of the width DenseFFN in place of experts
	DenseFFN   int

	Activation     layers.Activation // of the MLP
	EmbeddingScale float32           // 0 means 1
	Residual       float32           // multiplies what attention and MLP add; 0 means 1
	HeadScale      float32           // of logits; 0 means 1
	HeadSoftCap    float32           // of logits; 0 means none

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
	maxExperts   = 1 << 10
	maxKernel    = 1 << 6
)

// Transformer reads the keys that all models of this kind have, and refuses what most lack: windows, and heads that are rotated in part. An
// architecture that has them reads the keys with [Values.Dense] and [Values.Windows].
func (v *Values) Transformer() Transformer {
	t := v.Dense("")
	v.refusePartlyRotated(&t)
	v.fullAttention()
	return t
}

// refusePartlyRotated refuses models of which a part of each head is rotated alone.
func (v *Values) refusePartlyRotated(t *Transformer) {
	if t.RotaryDim != 0 {
		v.Fail(Unsupported("%s = %v", partialRotary, float64(t.RotaryDim)/float64(t.HeadDim)))
	}
}

// Dense reads the same keys of models that may have windows, about which it does not ask, and heads that are rotated in part, as RotaryDim then says. Where a file tells apart
// the rotary embeddings of kinds of layers, that of the given kind is read; if it is "", they may not differ.
func (v *Values) Dense(kind string) Transformer {
	t := Transformer{NormEps: 1e-6, MaxPositions: defaultPositions}
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
	causal := true
	if v.Bool("is_causal", &causal); !causal {
		v.Fail(Unsupported("is_causal = false"))
	}
	t.Rope = v.ropeOf(kind)
	t.RotaryDim = v.rotaryDim(t.HeadDim)
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
	case t.RotaryDim < 0 || t.RotaryDim > t.HeadDim || t.RotaryDim%2 != 0:
		return fmt.Errorf("%d elements of heads of %d are to be rotated, which is no even part", t.RotaryDim, t.HeadDim)
	case t.Experts < 0 || t.Experts > maxExperts || t.Experts > 0 && (t.Chosen < 1 || t.Chosen > t.Experts):
		return fmt.Errorf("num_experts = %d with num_experts_per_tok = %d: at most %d, of which some are used", t.Experts, t.Chosen, maxExperts)
	case t.FirstDense < 0 || t.FirstDense > 0 && (t.FirstDense > t.Layers || t.DenseFFN < 1 || t.DenseFFN > maxFFN):
		return fmt.Errorf("num_dense_layers = %d of %d, with an inner width of %d", t.FirstDense, t.Layers, t.DenseFFN)
	case t.HeadDim%2 != 0:
		return fmt.Errorf("head_dim = %d is odd, but rotary pairs need an even size", t.HeadDim)
	case !(t.NormEps > 0 && t.NormEps < 1):
		return fmt.Errorf("rms_norm_eps = %v is outside (0, 1)", t.NormEps)
	}
	if t.LongBeta != 0 && (!(t.LongBeta > 0 && t.LongBeta < 1<<10) || t.Rope.OriginalContext < 1) {
		return fmt.Errorf("llama_4_scaling_beta = %v with original_max_position_embeddings = %d", t.LongBeta, t.Rope.OriginalContext)
	}
	if t.Convolutions != nil && (t.Kernel < 1 || t.Kernel > maxKernel) {
		return fmt.Errorf("a convolution of %d rows is outside 1..%d", t.Kernel, maxKernel)
	}
	for _, list := range []int{len(t.Windows), len(t.NoRotary), len(t.Convolutions)} {
		if list != 0 && list != t.Layers {
			return fmt.Errorf("num_hidden_layers = %d, but a list for each layer has %d", t.Layers, list)
		}
	}
	if t.LocalRope.Theta != 0 {
		if err := validateRope(t.LocalRope, t.rotaryDim()); err != nil {
			return err
		}
	}
	return validateRope(t.Rope, t.rotaryDim())
}

// convolves reports whether a layer has a convolution in place of attention.
func (t *Transformer) convolves(layer int) bool {
	return t.Convolutions != nil && t.Convolutions[layer]
}

// feedForward returns the number of experts of a layer, 0 if it has none, and their inner width or that of its MLP.
func (t *Transformer) feedForward(layer int) (experts, ffn int) {
	if layer < t.FirstDense {
		return 0, t.DenseFFN
	}
	return t.Experts, t.FFN
}

// rotaryDim returns the elements of a head that are rotated.
func (t *Transformer) rotaryDim() int { return cmp.Or(t.RotaryDim, t.HeadDim) }

// Model returns the model that t describes, which must not change any more.
func (t *Transformer) Model() (*Model, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return &Model{
		Width: t.Width, Layers: t.Layers, Vocab: t.Vocab, MaxPositions: t.MaxPositions, NormEps: t.NormEps, Tied: &t.Tied,
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
