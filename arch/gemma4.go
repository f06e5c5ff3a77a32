package arch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lever-go/lever/layers"
)

// Gemma4Text is the architecture of the dense Gemma 4 models, those made for phones (E2B and E4B) among them: as Gemma 3 without scale of scores, with
// normalised values, other heads in the layers without a window, and a factor of each layer. The small ones give each layer an input of its own of
// each token, looked up in a table; their last layers share the keys and values of earlier ones.
var Gemma4Text = &Architecture{
	Name: "gemma4_text", Class: "Gemma4ForCausalLM", GGUF: "gemma4",
	GGUFKeys: map[string]string{
		"attention.sliding_window": "sliding_window", "attention.sliding_window_pattern": "sliding", "rope.freq_base_swa": "rope_local_base_freq",
		"attention.key_length_swa": "head_dim_swa", "attention.value_length_swa": "value_dim_swa", "rope.dimension_count_swa": "rotary_dim_swa",
		"attention.shared_kv_layers": "num_kv_shared_layers", "embedding_length_per_layer_input": "hidden_size_per_layer_input",
		"final_logit_softcapping": "final_logit_softcapping",
	},
	GGUFLists: map[string]string{"feed_forward_length": "intermediate_sizes", "attention.head_count_kv": "key_value_heads"},
	FromGGUF:  gemma4FromGGUF,
	Parse:     parseGemma4,
}

// Gemma4 is the architecture of the Gemma 4 models for images, sounds and text.
var Gemma4 = TextPart("gemma4", "Gemma4ForConditionalGeneration", Gemma4Text)

// Gemma4Transformer describes a Gemma 4 model. What layers with a window have is in the Transformer.
type Gemma4Transformer struct {
	Transformer
	Global        []bool      // by layer: it has no window
	GlobalHeadDim int         // elements of a head of global layers
	GlobalKVHeads int         // key and value heads of these
	GlobalRope    layers.Rope // of these
	KeysAsValues  bool        // the values of these are their keys before norm and rotation

	SharedKV   int  // of the last layers, which use the keys and values of the last layer of their kind before them
	WideShared bool // the MLP of these has twice the width
	InputDim   int  // elements of what each layer gets of a token; 0 if layers get nothing
}

func parseGemma4(v *Values) (*Model, error) {
	v.refuseGemma4()
	for key, value := range map[string]any{
		"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262144, "max_position_embeddings": 131072, "sliding_window": 512,
		"global_head_dim": 512, "hidden_size_per_layer_input": 256,
	} {
		v.Default(key, value)
	}
	g := Gemma4Transformer{}
	v.Need("global_head_dim", &g.GlobalHeadDim)
	v.proportional(g.GlobalHeadDim)
	g.Transformer = v.Dense(fullAttention)
	v.refusePartlyRotated(&g.Transformer)
	v.gemmaActivation(&g.Transformer)
	g.GlobalRope, g.Rope = g.Rope, v.localRope()
	g.QKNorm, g.Scale = true, 1
	v.gemmaSoftCaps(&g.Transformer)
	v.Bool("attention_k_eq_v", &g.KeysAsValues)
	g.GlobalKVHeads = g.KVHeads
	if heads := g.KVHeads; v.Has("num_global_key_value_heads") && g.KeysAsValues || v.Has("key_value_heads") {
		v.Int("num_global_key_value_heads", &heads)
		g.GlobalKVHeads = heads
	}
	v.Int("num_kv_shared_layers", &g.SharedKV)
	v.Bool("use_double_wide_mlp", &g.WideShared)
	v.Int("hidden_size_per_layer_input", &g.InputDim)
	v.checkSizes(&g)
	g.Global, g.Windows = v.globalLayers(g.Layers, 6)
	if last := len(g.Global) - 1; last >= 0 {
		g.Global[last], g.Windows[last] = true, 0
	}
	if v.err != nil {
		return nil, v.err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return g.model(), v.checkLists(&g)
}

// proportional gives the rotary embedding of global layers as divisors of frequencies: what is called proportional turns the first part of them alone.
func (v *Values) proportional(headDim int) {
	if !v.Has("rope_parameters") && !v.Has("rope_scaling") {
		v.Default("rope_parameters", map[string]any{
			fullAttention:    map[string]any{"rope_type": "proportional", partialRotary: 0.25, "rope_theta": 1e6},
			slidingAttention: map[string]any{"rope_type": "default", "rope_theta": 1e4},
		})
	}
	v.editRope(func(rope map[string]any) {
		global, _ := rope[fullAttention].(map[string]any)
		if global["rope_type"] != "proportional" {
			return
		}
		if headDim < 1 || headDim > maxHeadDim {
			v.Fail(fmt.Errorf("global_head_dim = %d is outside 1..%d", headDim, maxHeadDim))
			return
		}
		part, divisor := 1.0, 1.0
		for key, x := range map[string]*float64{partialRotary: &part, "factor": &divisor} {
			if value, ok := global[key]; ok {
				if *x, ok = value.(float64); !ok || !(*x > 0) || key == partialRotary && *x > 1 {
					v.Fail(fmt.Errorf("rope_parameters.%s.%s = %v", fullAttention, key, value))
					return
				}
			}
			delete(global, key)
		}
		factors := slices.Repeat([]float64{unturned}, headDim/2)
		for i := range int(part*float64(headDim)) / 2 {
			factors[i] = divisor
		}
		global["rope_type"], global["factors"] = "factors", factors
	})
}

// unturned divides frequencies of pairs that do not turn, as GGUF files have it.
const unturned = 1e30

// refuseGemma4 refuses what the dense models do without.
func (v *Values) refuseGemma4() {
	experts := false
	if v.Bool("enable_moe_block", &experts); experts {
		v.Fail(Unsupported("enable_moe_block = true"))
	}
	for _, key := range []string{"num_experts", "top_k_experts", "moe_intermediate_size"} {
		v.Has(key) // of experts that there are none of
	}
	if v.Has("per_layer_config") {
		v.Fail(Unsupported("per_layer_config = %s", v.show("per_layer_config")))
	}
	if key := "use_bidirectional_attention"; v.Has(key) && v.show(key) != `"vision"` && v.show(key) != "false" { // of images, which are not used
		v.Fail(Unsupported("%s = %s", key, v.show(key)))
	}
}

// checkSizes refuses sizes that are stated twice and differ.
func (v *Values) checkSizes(g *Gemma4Transformer) {
	if key := "vocab_size_per_layer_input"; v.Has(key) && g.InputDim != 0 {
		v.repeats(key, "vocab_size", g.Vocab)
	}
	for _, key := range []string{"head_dim_swa", "value_dim_swa", "rotary_dim_swa"} { // of GGUF files
		v.repeats(key, "head_dim", g.HeadDim)
	}
}

// checkLists compares what GGUF files say of each layer with what follows from the rest.
func (v *Values) checkLists(g *Gemma4Transformer) error {
	widths, heads := make([]int, g.Layers), make([]int, g.Layers)
	for i := range g.Layers {
		t := g.layer(i)
		widths[i], heads[i] = t.FFN, t.KVHeads
	}
	for key, want := range map[string][]int{"intermediate_sizes": widths, "key_value_heads": heads} {
		got := slices.Clone(want)
		if v.Decode(key, &got, "a list of sizes"); v.err == nil && !slices.Equal(got, want) {
			return Unsupported("%s = %v, not %v", key, got, want)
		}
	}
	return v.err
}

// Validate reports the first field that no decoder can be built from, by its name in config.json.
func (g *Gemma4Transformer) Validate() error {
	if err := g.Transformer.Validate(); err != nil {
		return err
	}
	for _, f := range []struct {
		key       string
		value, to int
	}{
		{"global_head_dim", g.GlobalHeadDim, maxHeadDim},
		{"num_attention_heads·global_head_dim", g.Heads * g.GlobalHeadDim, maxQueryDim},
		{"num_global_key_value_heads", g.GlobalKVHeads, maxHeads},
		{"hidden_size_per_layer_input + 1", g.InputDim + 1, maxHeadDim + 1},
		{"num_kv_shared_layers + 1", g.SharedKV + 1, g.Layers},
		{"2·intermediate_size", 2 * g.FFN, 2 * maxFFN},
	} {
		if f.value < 1 || f.value > f.to {
			return fmt.Errorf("%s = %d is outside 1..%d", f.key, f.value, f.to)
		}
	}
	switch {
	case g.GlobalHeadDim%2 != 0:
		return fmt.Errorf("global_head_dim = %d is odd, but rotary pairs need an even size", g.GlobalHeadDim)
	case g.Heads%g.GlobalKVHeads != 0:
		return fmt.Errorf("num_attention_heads = %d is no multiple of num_global_key_value_heads = %d", g.Heads, g.GlobalKVHeads)
	case len(g.Global) != g.Layers || len(g.Windows) != g.Layers:
		return fmt.Errorf("num_hidden_layers = %d, but a list for each layer has %d and %d", g.Layers, len(g.Global), len(g.Windows))
	}
	for i := range g.Layers {
		if g.writer(i) < 0 {
			return fmt.Errorf("num_kv_shared_layers = %d, but no layer before them is of the kind of layer %d", g.SharedKV, i)
		}
	}
	return validateRope(g.GlobalRope, g.GlobalHeadDim)
}

// layer returns what layer i is like.
func (g *Gemma4Transformer) layer(i int) Transformer {
	t := g.Transformer
	if g.Global[i] {
		t.HeadDim, t.KVHeads, t.Rope = g.GlobalHeadDim, g.GlobalKVHeads, g.GlobalRope
	}
	if g.shares(i) && g.WideShared {
		t.FFN *= 2
	}
	return t
}

// shares reports whether layer i uses the keys and values of another one.
func (g *Gemma4Transformer) shares(i int) bool { return i >= g.Layers-g.SharedKV }

// writer returns the layer whose keys and values layer i uses; −1 if there is none.
func (g *Gemma4Transformer) writer(i int) int { return writerOf(g.Global, g.SharedKV, i) }

// model returns the model that g describes.
func (g *Gemma4Transformer) model() *Model {
	m := &Model{
		Width: g.Width, Layers: g.Layers, Vocab: g.Vocab, MaxPositions: g.MaxPositions, NormEps: g.NormEps, Tied: &g.Tied,
		Steps: [][]Tensor{g.embedding()}, Build: g.build, Config: g,
	}
	all := g.InputDim * g.Layers
	if g.InputDim > 0 {
		m.Steps[0] = append(m.Steps[0], matrix(inputTable, "model.embed_tokens_per_layer", "per_layer_token_embd", g.Vocab, all))
	}
	for i := range g.Layers {
		var step []Tensor
		if i == 0 && g.InputDim > 0 {
			step = inputTensors(all, g.Width, g.InputDim)
		}
		t := g.layer(i)
		for _, x := range t.block(i) {
			switch {
			case g.shares(i) && isKeyOrValue(x):
				m.Unused = append(m.Unused, x)
			case g.KeysAsValues && g.Global[i] && strings.HasSuffix(x.Name, ".v"):
			default:
				step = append(step, x)
			}
		}
		block, hf, gguf := fmt.Sprintf("block.%d.", i), fmt.Sprintf("model.layers.%d.", i), fmt.Sprintf("blk.%d.", i)
		if g.InputDim > 0 {
			step = append(step, gateTensors(i, g.Width, g.InputDim)...)
		}
		scale := vector(block+"scale", hf+"layer_scalar", gguf+"layer_output_scale", 1)
		scale.HF = hf + "layer_scalar"
		m.Steps = append(m.Steps, append(step, scale))
	}
	m.Steps = append(m.Steps, g.ends())
	return m
}

// build puts the parts together.
func (g *Gemma4Transformer) build(ws *layers.Workspace, o Options) (m layers.DecoderConfig, err error) {
	var caches []layers.KVLayer
	for i := range g.Layers - g.SharedKV {
		t := g.layer(i)
		caches = append(caches, layers.KVLayer{KVHeads: t.KVHeads, HeadDim: t.HeadDim, Window: g.Windows[i]})
	}
	if m, err = g.parts(ws, o, caches); err != nil {
		return m, err
	}
	norm := layers.NormConfig{Eps: g.NormEps}
	local, global := g.Rope.Rotary(g.HeadDim, o.Context), g.GlobalRope.Rotary(g.GlobalHeadDim, o.Context)
	var inputs *layers.LayerInputs
	if g.InputDim > 0 {
		inputs = layers.NewLayerInputs(ws, layerInputs, layers.LayerInputsConfig{
			Width: g.Width, Layers: g.Layers, Dim: g.InputDim, Vocab: max(o.Vocab, o.Mask+1), Norm: norm,
		})
	}
	for i := range g.Layers {
		t, name := g.layer(i), fmt.Sprintf("block.%d", i)
		attention := layers.AttentionConfig{
			Width: t.Width, Heads: t.Heads, KVHeads: t.KVHeads, HeadDim: t.HeadDim, Cache: m.Cache, Layer: g.writer(i), Rotary: local, Scale: t.Scale,
			QKNorm: layers.HeadQKNorm, Norm: norm, ValueNorm: true, SharedKV: g.shares(i),
		}
		if g.Global[i] {
			attention.Rotary, attention.KeysAsValues = global, g.KeysAsValues
		}
		var chain layers.Chain
		if i == 0 && inputs != nil {
			chain = append(chain, inputs)
		}
		chain = append(chain, layers.NewBlock(ws, name, layers.BlockConfig{
			Width: t.Width, Mixer: layers.NewAttention(ws, name, attention), MLP: t.mlp(ws, name, i), Norm: norm, NormPosition: t.NormPosition,
		}))
		if inputs != nil {
			chain = append(chain, inputs.Gate(name, i, t.Activation))
		}
		m.Layers = append(m.Layers, append(chain, layers.NewOutputScale(ws, name+".scale")))
	}
	return m, nil
}

// gemma4FromGGUF says what GGUF files do not, or say otherwise: their size of heads is that of global layers, and the layers that have values show
// whether keys are values.
func gemma4FromGGUF(config map[string]any, has func(tensor string) bool) {
	delete(config, "hidden_act")
	config["hidden_activation"] = "gelu_pytorch_tanh"
	config["global_head_dim"] = config["head_dim"]
	if local, ok := config["head_dim_swa"]; ok {
		config["head_dim"] = local
	}
	sliding, _ := config["sliding"].([]bool)
	delete(config, "sliding")
	types := layerKinds(sliding)
	config["layer_types"] = types
	for i, s := range sliding {
		if !s && !has(fmt.Sprintf("blk.%d.attn_v.weight", i)) && has(fmt.Sprintf("blk.%d.attn_k.weight", i)) {
			config["attention_k_eq_v"] = true
		}
	}
	if widths, ok := config["intermediate_sizes"].([]int32); ok {
		config["intermediate_size"] = widths[0]
		config["use_double_wide_mlp"] = widths[len(widths)-1] == 2*widths[0]
	}
	if heads, ok := config["key_value_heads"].([]int32); ok {
		for kind, key := range map[string]string{slidingAttention: "num_key_value_heads", fullAttention: "num_global_key_value_heads"} {
			if i := slices.Index(types, kind); i >= 0 && i < len(heads) {
				config[key] = heads[i]
			}
		}
	}
}
