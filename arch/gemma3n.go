package arch

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/layers"
)

// Gemma3nText is the architecture of the Gemma 3n models (E2B and E4B): four streams of which each layer computes one and changes the others by it, a low-rank
// path beside attention, inputs of each layer looked up in a table, keys and values that the last layers share, and MLPs whose gates are sparse in
// the first layers.
var Gemma3nText = &Architecture{
	Name: "gemma3n_text", Class: "Gemma3nForCausalLM", GGUF: "gemma3n",
	GGUFKeys: map[string]string{
		"attention.sliding_window": "sliding_window", "attention.sliding_window_pattern": "sliding", "rope.freq_base_swa": "rope_local_base_freq",
		"attention.shared_kv_layers": "num_kv_shared_layers", "embedding_length_per_layer_input": "hidden_size_per_layer_input",
		"altup.active_idx": "altup_active_idx", "altup.num_inputs": "altup_num_inputs", "activation_sparsity_scale": "activation_sparsity_scale",
		"final_logit_softcapping": "final_logit_softcapping",
	},
	FromGGUF: gemma3nFromGGUF,
	Parse:    parseGemma3n,
}

// Gemma3n is the architecture of the Gemma 3n models as they are published, for images, sounds and text.
var Gemma3n = TextPart("gemma3n", "Gemma3nForConditionalGeneration", Gemma3nText)

// Gemma3nTransformer describes a Gemma 3n model.
type Gemma3nTransformer struct {
	Transformer
	Global   []bool // by layer: it has no window
	SharedKV int    // of the last layers, which use the keys and values of the last layer of their kind before them
	InputDim int    // elements of what each layer gets of a token
	Inputs   int    // tokens that have a row in the table of that
	Streams  int
	Rank     int       // of the path beside attention
	Cutoffs  []float64 // by layer: see [layers.MLPConfig]
	Clip     float64   // of the coefficients by which streams are corrected; 0 means none
}

func parseGemma3n(v *Values) (*Model, error) {
	for key, value := range map[string]any{
		"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "vocab_size": 262400, "max_position_embeddings": 32768, "sliding_window": 512,
		"num_kv_shared_layers": 15,
	} {
		v.Default(key, value)
	}
	if !v.Has("rope_parameters") {
		v.Default("rope_theta", 1e6)
	}
	for _, key := range []string{"query_pre_attn_scalar", "altup_lr_multiplier"} {
		v.Has(key) // which files state, and models do without
	}
	v.oneWidth()
	g := Gemma3nTransformer{InputDim: 256, Streams: 4, Rank: 64}
	g.Transformer = v.Dense(fullAttention)
	v.refusePartlyRotated(&g.Transformer)
	v.gemmaActivation(&g.Transformer)
	g.LocalRope, g.QKNorm, g.Scale, g.HeadSoftCap = v.localRope(), true, 1, 30
	v.gemmaSoftCaps(&g.Transformer)
	if g.SoftCap != 0 {
		v.Fail(Unsupported("attn_logit_softcapping = %v", g.SoftCap))
	}
	g.Inputs = min(g.Vocab, 262144)
	v.Int("num_kv_shared_layers", &g.SharedKV)
	v.Int("hidden_size_per_layer_input", &g.InputDim)
	v.Int("vocab_size_per_layer_input", &g.Inputs)
	v.Int("laurel_rank", &g.Rank)
	v.Int("altup_num_inputs", &g.Streams)
	g.Clip = 120
	if v.isNull("altup_coef_clip") {
		g.Clip = 0
	}
	v.Float("altup_coef_clip", &g.Clip)
	v.only("altup_active_idx", 0)
	scaled := true
	if v.Bool("altup_correct_scale", &scaled); !scaled {
		v.Fail(Unsupported("altup_correct_scale = false"))
	}
	g.Global, g.Windows = v.globalLayers(g.Layers, 5)
	v.cutoffs(&g)
	if v.err != nil {
		return nil, v.err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return g.model(), nil
}

// oneWidth makes one number of a list of the inner widths of MLPs, which have to be the same.
func (v *Values) oneWidth() {
	var widths []int
	if !v.Has("intermediate_size") || json.Unmarshal(v.values["intermediate_size"], &widths) != nil || len(widths) == 0 {
		return
	}
	if slices.Min(widths) != slices.Max(widths) {
		v.Fail(Unsupported("intermediate_size = %s", v.show("intermediate_size")))
	}
	v.values["intermediate_size"], _ = json.Marshal(widths[0])
}

// cutoffs reads how sparse the gates of layers are: shares of elements that become 0, as a normal distribution has them, or the deviations that
// they stand for. If the configuration does not say, those of the first ten layers are.
func (v *Values) cutoffs(g *Gemma3nTransformer) {
	if v.err != nil || g.Layers < 1 || g.Layers > maxLayers {
		return
	}
	var shares []float64
	g.Cutoffs = nil
	v.Decode("activation_sparsity_pattern", &shares, "a list of numbers")
	v.Decode("activation_sparsity_scale", &g.Cutoffs, "a list of numbers")
	if shares == nil && g.Cutoffs == nil && g.Layers > 10 {
		shares = slices.Concat(slices.Repeat([]float64{0.95}, 10), make([]float64, g.Layers-10))
	}
	for _, share := range shares {
		if !(share >= 0 && share < 1) {
			v.Fail(fmt.Errorf("activation_sparsity_pattern has %v, which is no share", share))
			return
		}
		cutoff := 0.0
		if share > 0 {
			cutoff = math.Sqrt2 * math.Erfinv(2*share-1)
		}
		g.Cutoffs = append(g.Cutoffs, cutoff)
	}
	if g.Cutoffs == nil {
		g.Cutoffs = make([]float64, g.Layers)
	}
}

// Validate reports the first field that no decoder can be built from, by its name in config.json.
func (g *Gemma3nTransformer) Validate() error {
	if err := g.Transformer.Validate(); err != nil {
		return err
	}
	for _, f := range []struct {
		key       string
		value, to int
	}{
		{"hidden_size_per_layer_input", g.InputDim, maxHeadDim},
		{"vocab_size_per_layer_input", g.Inputs, g.Vocab},
		{"num_kv_shared_layers + 1", g.SharedKV + 1, g.Layers},
		{"laurel_rank", g.Rank, maxWidth},
		{"altup_num_inputs − 1", g.Streams - 1, 7},
	} {
		if f.value < 1 || f.value > f.to {
			return fmt.Errorf("%s = %d is outside 1..%d", f.key, f.value, f.to)
		}
	}
	if len(g.Global) != g.Layers || len(g.Windows) != g.Layers || len(g.Cutoffs) != g.Layers {
		return fmt.Errorf("num_hidden_layers = %d, but lists for each layer have %d, %d and %d", g.Layers, len(g.Global), len(g.Windows), len(g.Cutoffs))
	}
	for i := range g.Layers {
		if writerOf(g.Global, g.SharedKV, i) < 0 {
			return fmt.Errorf("num_kv_shared_layers = %d, but no layer before them is of the kind of layer %d", g.SharedKV, i)
		}
		if c := g.Cutoffs[i]; !(math.Abs(c) < 100) {
			return fmt.Errorf("activation_sparsity_scale has %v for layer %d", c, i)
		}
	}
	if !(g.Clip >= 0) {
		return fmt.Errorf("altup_coef_clip = %v is negative", g.Clip)
	}
	return nil
}

// altUp is the name of the streams.
const altUp = "altup"

// model returns the model that g describes.
func (g *Gemma3nTransformer) model() *Model {
	all, n := g.InputDim*g.Layers, g.Streams
	m := &Model{
		Width: g.Width, Layers: g.Layers, Vocab: g.Vocab, MaxPositions: g.MaxPositions, NormEps: g.NormEps, Tied: &g.Tied, Build: g.build, Config: g,
		Steps: [][]Tensor{append(g.embedding(), matrix(inputTable, "model.embed_tokens_per_layer", "per_layer_token_embd", g.Inputs, all))},
	}
	for i := range g.Layers {
		var step []Tensor
		if i == 0 {
			step = append(inputTensors(all, g.Width, g.InputDim), g.projections("proj", "model.altup_projections", "altup_proj")...)
		}
		block, hf, gguf := fmt.Sprintf("block.%d.", i), fmt.Sprintf("model.layers.%d.", i), fmt.Sprintf("blk.%d.", i)
		step = append(step,
			vector(block+"router_norm", hf+"altup.router_norm", gguf+"altup_router_norm", g.Width),
			vector(block+"router", hf+"altup.modality_router", gguf+"altup_router", n*g.Width),
			vector(block+"predict", hf+"altup.prediction_coefs", gguf+"altup_predict_coef", n*n*n))
		for _, x := range g.block(i) {
			if i >= g.Layers-g.SharedKV && isKeyOrValue(x) {
				m.Unused = append(m.Unused, x)
				continue
			}
			if step = append(step, x); x.Name == block+"attn_norm" {
				step = append(step,
					matrix(block+"laurel_left", hf+"laurel.linear_left", gguf+"laurel_l", g.Rank, g.Width),
					matrix(block+"laurel_right", hf+"laurel.linear_right", gguf+"laurel_r", g.Width, g.Rank),
					vector(block+"laurel_norm", hf+"laurel.post_laurel_norm", gguf+"laurel_post_norm", g.Width))
			}
		}
		scale := vector(block+"correct_scale", "", gguf+"altup_correct_scale", g.Width)
		scale.HF = hf + "altup.correct_output_scale"
		step = append(step, vector(block+"correct", hf+"altup.correction_coefs", gguf+"altup_correct_coef", n*n), scale)
		m.Steps = append(m.Steps, append(step, gateTensors(i, g.Width, g.InputDim)...))
	}
	m.Steps = append(m.Steps, append(g.projections("unembed", "model.altup_unembed_projections", "altup_unembd_proj"), g.ends()...))
	return m
}

// projections lists the matrices that make streams or undo that, which GGUF files join to one.
func (g *Gemma3nTransformer) projections(name, hf, gguf string) (list []Tensor) {
	for j := 1; j < g.Streams; j++ {
		t := matrix(fmt.Sprintf("%s.%s.%d", altUp, name, j), fmt.Sprintf("%s.%d", hf, j-1), gguf, g.Width, g.Width)
		t.GGUFRow = (j - 1) * g.Width
		list = append(list, t)
	}
	return list
}

// build puts the parts together.
func (g *Gemma3nTransformer) build(ws *layers.Workspace, o Options) (m layers.DecoderConfig, err error) {
	var caches []layers.KVLayer
	for i := range g.Layers - g.SharedKV {
		caches = append(caches, layers.KVLayer{KVHeads: g.KVHeads, HeadDim: g.HeadDim, Window: g.Windows[i]})
	}
	if m, err = g.parts(ws, o, caches); err != nil {
		return m, err
	}
	norm := layers.NormConfig{Eps: g.NormEps}
	local, global := g.LocalRope.Rotary(g.HeadDim, o.Context), g.Rope.Rotary(g.HeadDim, o.Context)
	inputs := layers.NewLayerInputs(ws, layerInputs, layers.LayerInputsConfig{
		Width: g.Width, Layers: g.Layers, Dim: g.InputDim, Vocab: min(g.Inputs, max(o.Vocab, o.Mask+1)), Norm: norm,
	})
	streams := layers.NewAltUp(ws, altUp, layers.AltUpConfig{Width: g.Width, Streams: g.Streams, Clip: float32(g.Clip), Norm: norm})
	for i := range g.Layers {
		name := fmt.Sprintf("block.%d", i)
		attention := layers.AttentionConfig{
			Width: g.Width, Heads: g.Heads, KVHeads: g.KVHeads, HeadDim: g.HeadDim, Cache: m.Cache, Layer: writerOf(g.Global, g.SharedKV, i), Rotary: local,
			Scale: g.Scale, QKNorm: layers.HeadQKNorm, Norm: norm, ValueNorm: true, SharedKV: i >= g.Layers-g.SharedKV,
		}
		if g.Global[i] {
			attention.Rotary = global
		}
		block := streams.Block(name, layers.AltUpBlockConfig{
			Mixer: layers.NewAttention(ws, name, attention), Rank: g.Rank, Gate: inputs.Gate(name, i, g.Activation),
			MLP: layers.NewMLP(ws, name, layers.MLPConfig{Width: g.Width, FFN: g.FFN, Activation: g.Activation, Cutoff: float32(g.Cutoffs[i])}),
		})
		chain := layers.Chain{block}
		if i == 0 {
			chain = layers.Chain{inputs, streams, block}
		}
		if i == g.Layers-1 {
			chain = append(chain, streams.Merge())
		}
		m.Layers = append(m.Layers, chain)
	}
	return m, nil
}

// gemma3nFromGGUF says what GGUF files do not, or say otherwise: how sparse gates are they say in standard deviations, infinitely few of them for those
// that are not.
func gemma3nFromGGUF(config map[string]any, _ func(string) bool) {
	delete(config, "hidden_act")
	config["hidden_activation"] = "gelu_pytorch_tanh"
	if sliding, ok := config["sliding"].([]bool); ok {
		config["layer_types"] = layerKinds(sliding)
	}
	delete(config, "sliding")
	if scales, ok := config["activation_sparsity_scale"].([]float32); ok {
		cutoffs := make([]float64, len(scales))
		for i, s := range scales {
			if cutoffs[i] = float64(s); math.IsInf(cutoffs[i], -1) {
				cutoffs[i] = 0
			}
		}
		config["activation_sparsity_scale"] = cutoffs
	}
	if _, ok := config["vocab_size_per_layer_input"]; !ok {
		config["vocab_size_per_layer_input"] = config["vocab_size"] // to which files fill the table up
	}
}
