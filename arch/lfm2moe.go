package arch

import "fmt"

// LFM2MoE is the architecture of the sparse LFM2 models, such as LFM2-8B-A1B: as LFM2, with experts in place of the MLP of all blocks but the first few.
// The weights of experts are sigmoids, and a vector that training has balanced takes part in choosing them.
var LFM2MoE = &Architecture{
	Name: "lfm2_moe", Class: "Lfm2MoeForCausalLM", GGUF: "lfm2moe",
	GGUFKeys: map[string]string{
		"attention.head_count_kv": "kv_heads", "shortconv.l_cache": "conv_L_cache", "leading_dense_block_count": "num_dense_layers",
		"expert_count": "num_experts", "expert_used_count": "num_experts_per_tok", "expert_feed_forward_length": "moe_intermediate_size",
		"expert_gating_func": gatingKey,
	},
	FromGGUF: lfm2MoEFromGGUF,
	Parse:    parseLFM2MoE,
}

// gatingKey is that of a GGUF file for how weights of experts are made of scores, and sigmoidGating its value for sigmoids.
const gatingKey, sigmoidGating = "expert_gating_func", 2

func lfm2MoEFromGGUF(config map[string]any, has func(string) bool) {
	lfm2FromGGUF(config, has)
	delete(config, "block_auto_adjust_ff_dim") // which these models don't have
	config["norm_topk_prob"], config["use_expert_bias"] = true, false
	if layers, ok := config["num_hidden_layers"].(int64); ok && has(fmt.Sprintf("blk.%d.exp_probs_b.bias", layers-1)) {
		config["use_expert_bias"] = true
	}
}

func parseLFM2MoE(v *Values) (*Model, error) {
	if v.Has("tie_embedding") {
		v.Default("tie_word_embeddings", v.values["tie_embedding"])
	}
	v.Default("tie_word_embeddings", true)
	if !v.Has("rope_parameters") {
		v.Default("rope_theta", 1e6)
	}
	t := v.Dense("")
	v.refusePartlyRotated(&t)
	t.QKNorm, t.NormEps, t.Kernel, t.Sigmoid, t.ChoiceBias = true, 1e-5, 3, true, true
	v.Float32("norm_eps", &t.NormEps)
	v.Int("conv_L_cache", &t.Kernel)
	v.convolutions(&t)
	t.DenseFFN, t.FirstDense = t.FFN, 2
	v.Int("num_dense_layers", &t.FirstDense)
	v.Need("num_experts", &t.Experts)
	v.Need("num_experts_per_tok", &t.Chosen)
	v.Need("moe_intermediate_size", &t.FFN)
	v.Bool("use_expert_bias", &t.ChoiceBias)
	scaled := true
	v.Bool("norm_topk_prob", &scaled)
	t.KeepShares = !scaled
	v.only("routed_scaling_factor", 1)
	v.only(gatingKey, sigmoidGating)
	return lfm2Model(&t)
}
