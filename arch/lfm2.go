package arch

import (
	"fmt"
	"slices"
)

// LFM2 is the architecture of the dense LFM2 models: as Qwen3, with short convolutions in place of most attentions, and names of its own.
var LFM2 = &Architecture{
	Name: "lfm2", Class: "Lfm2ForCausalLM", GGUF: "lfm2",
	GGUFKeys: map[string]string{"attention.head_count_kv": "kv_heads", "shortconv.l_cache": "conv_L_cache"},
	FromGGUF: lfm2FromGGUF,
	Parse:    parseLFM2,
}

func lfm2FromGGUF(config map[string]any, _ func(string) bool) {
	config["norm_eps"], config["block_auto_adjust_ff_dim"] = config["rms_norm_eps"], false
	if heads, ok := config["kv_heads"].([]int32); ok { // 0 says that a layer has a convolution
		var attentions []int
		for i, n := range heads {
			if n != 0 {
				attentions = append(attentions, i)
			}
		}
		config["full_attn_idxs"] = attentions
	}
	delete(config, "kv_heads")
}

// LFM2VL is the architecture of the LFM2-VL models, which are for images and text.
var LFM2VL = TextPart("lfm2_vl", "Lfm2VlForConditionalGeneration", LFM2)

func parseLFM2(v *Values) (*Model, error) {
	for older, key := range map[string]string{"theta": "rope_theta", "block_ff_dim": "intermediate_size", "tie_embedding": "tie_word_embeddings"} {
		if v.Has(older) {
			v.Default(key, v.values[older])
		}
	}
	if !v.Has("rope_parameters") {
		v.Default("rope_theta", 1e6)
	}
	t := v.Dense("")
	v.refusePartlyRotated(&t)
	t.QKNorm, t.NormEps, t.Kernel = true, 1e-5, 3
	v.Float32("norm_eps", &t.NormEps)
	ofBlocks := t.NormEps
	if v.Float32("block_norm_eps", &ofBlocks); ofBlocks != t.NormEps {
		v.Fail(Unsupported("block_norm_eps = %v with norm_eps = %v", ofBlocks, t.NormEps))
	}
	v.Int("conv_L_cache", &t.Kernel)
	v.convolutions(&t)
	v.adjustFFN(&t)
	v.repeats("block_dim", "hidden_size", t.Width)
	v.repeats("conv_dim", "hidden_size", t.Width)
	v.repeats("conv_dim_out", "hidden_size", t.Width)
	v.repeats("num_heads", "num_attention_heads", t.Heads)
	for _, key := range []string{"block_use_swiglu", "use_pos_enc"} {
		used := true
		if v.Bool(key, &used); !used {
			v.Fail(Unsupported("%s = false", key))
		}
	}
	return lfm2Model(&t)
}

// lfm2Model returns the model that t describes, with the names of LFM2.
func lfm2Model(t *Transformer) (*Model, error) {
	m, err := t.Model()
	if err != nil {
		return nil, err
	}
	for old, name := range map[string]string{
		"input_layernorm": "operator_norm", "post_attention_layernorm": "ffn_norm", "model.norm": "model.embedding_norm",
		"self_attn.o_proj": "self_attn.out_proj", "self_attn.q_norm": "self_attn.q_layernorm", "self_attn.k_norm": "self_attn.k_layernorm",
		".mlp.": ".feed_forward.", ".gate_proj": ".w1", ".up_proj": ".w3", ".down_proj": ".w2",
	} {
		m.Rename(old, name)
	}
	m.Steps[len(m.Steps)-1][0].GGUF = "token_embd_norm.weight"
	return m, nil
}

// convolutions reads which layers have a convolution: all but those that layer_types or full_attn_idxs list as attention, or none if there is no list.
func (v *Values) convolutions(t *Transformer) {
	var attentions []int
	types := v.layerTypes(t.Layers)
	v.Decode("full_attn_idxs", &attentions, "a list of layers")
	if v.err != nil || t.Layers < 1 || t.Layers > maxLayers || types == nil && !v.Has("full_attn_idxs") {
		return
	}
	t.Convolutions = make([]bool, t.Layers)
	for i := range t.Convolutions {
		t.Convolutions[i] = !slices.Contains(attentions, i)
		if types == nil {
			continue
		}
		switch t.Convolutions[i] = types[i] == "conv"; {
		case types[i] != "conv" && types[i] != fullAttention:
			v.Fail(Unsupported("layer_types with %q for layer %d", types[i], i))
		case v.Has("full_attn_idxs") && t.Convolutions[i] == slices.Contains(attentions, i):
			v.Fail(fmt.Errorf("layer_types has %s for layer %d, and full_attn_idxs = %v; remove the wrong one", types[i], i, attentions))
		}
	}
}

// adjustFFN makes the inner width of the MLP that which the weights have: two thirds of what the configuration says, times a factor, up to a multiple.
func (v *Values) adjustFFN(t *Transformer) {
	adjust, factor, multiple := true, 1.0, 256
	v.Bool("block_auto_adjust_ff_dim", &adjust)
	v.Float("block_ffn_dim_multiplier", &factor)
	v.Int("block_multiple_of", &multiple)
	if !adjust || v.err != nil || t.FFN < 1 || t.FFN > maxFFN {
		return
	}
	if !(factor > 0 && factor < 64) || multiple < 1 || multiple > maxFFN {
		v.Fail(fmt.Errorf("intermediate_size = %d is to be adjusted with block_ffn_dim_multiplier = %v and block_multiple_of = %d", t.FFN, factor, multiple))
		return
	}
	n := int(factor * float64(2*t.FFN/3))
	t.FFN = (n + multiple - 1) / multiple * multiple
}
