package arch

// Qwen3MoE is the architecture of the sparse Qwen3 models, such as Qwen3-30B-A3B: as Qwen3, with experts in place of the MLP of every block.
var Qwen3MoE = &Architecture{
	Name: "qwen3_moe", Class: "Qwen3MoeForCausalLM", GGUF: "qwen3moe",
	GGUFKeys: map[string]string{
		"expert_count": "num_experts", "expert_used_count": "num_experts_per_tok", "expert_feed_forward_length": "moe_intermediate_size",
	},
	FromGGUF: qwen3MoEFromGGUF,
	Parse:    parseQwen3MoE,
}

func qwen3MoEFromGGUF(config map[string]any, _ func(string) bool) { config["norm_topk_prob"] = true }

func parseQwen3MoE(v *Values) (*Model, error) {
	t := v.Transformer()
	t.QKNorm = true
	v.Need("num_experts", &t.Experts)
	v.Need("num_experts_per_tok", &t.Chosen)
	v.Need("moe_intermediate_size", &t.FFN)
	scaled := false
	v.Bool("norm_topk_prob", &scaled)
	t.KeepShares = !scaled
	v.only("decoder_sparse_step", 1)
	var dense []int
	if v.Decode("mlp_only_layers", &dense, "a list of layers"); len(dense) > 0 {
		v.Fail(Unsupported("mlp_only_layers = %v", dense))
	}
	return t.Model()
}
