package arch_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
)

// allBut returns the windows of layers of which all but every pattern-th have one.
func allBut(layers, pattern, window int) []int {
	of := make([]int, layers)
	for i := range of {
		if (i+1)%pattern != 0 {
			of[i] = window
		}
	}
	return of
}

// times writes a text several times, as elements of a list.
func times(n int, text string) string { return strings.Repeat(text+", ", n-1) + text }

// list48 stands for the lists of 48 factors of Phi, and longRope is what they mean.
var list48 = "[" + times(48, "1.5") + "]"

func longRope() layers.Rope {
	factors := slices.Repeat([]float64{1.5}, 48)
	return layers.Rope{Theta: 1e4, Scaling: layers.RopeLong, OriginalContext: 4096, Factors: factors, LongFactors: factors,
		AttentionFactor: math.Sqrt(1 + math.Log(32)/math.Log(4096))}
}

// TestPublished: configurations with all the keys and values that published models have are understood.
func TestPublished(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want arch.Transformer
	}{
		"gpt-oss-20b": {`{
  "architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0, "eos_token_id": 200002, "experts_per_token": 4,
  "head_dim": 64, "hidden_act": "silu", "hidden_size": 2880, "initial_context_length": 4096, "initializer_range": 0.02, "intermediate_size": 2880,
  "layer_types": [` + times(12, `"sliding_attention", "full_attention"`) + `], "max_position_embeddings": 131072, "model_type": "gpt_oss",
  "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8, "num_local_experts": 32,
  "output_router_logits": false, "pad_token_id": 199999, "rms_norm_eps": 1e-05,
  "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false},
  "rope_theta": 150000, "router_aux_loss_coef": 0.9, "sliding_window": 128, "swiglu_limit": 7.0, "tie_word_embeddings": false,
  "transformers_version": "4.55.0.dev0", "use_cache": true, "vocab_size": 201088}`, arch.Transformer{
			Width: 2880, Layers: 24, Heads: 64, KVHeads: 8, HeadDim: 64, FFN: 2880, Vocab: 201088, MaxPositions: 131072, NormEps: 1e-5,
			Rope: layers.Rope{Theta: 150000, Scaling: layers.RopeYaRN, Factor: 32, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, Exact: true,
				AttentionFactor: 0.1*math.Log(32) + 1},
			Windows: allBut(24, 2, 128), QKVBias: true, OutputBias: true, Sinks: true, Experts: 32, Chosen: 4, ExpertBias: true,
			Activation: layers.ClampedSwiGLU,
		}},
		"gemma-2-2b-it": {`{
  "architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": 50.0, "bos_token_id": 2,
  "cache_implementation": "hybrid", "eos_token_id": [1, 107], "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
  "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02, "intermediate_size": 9216,
  "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4,
  "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096,
  "torch_dtype": "bfloat16", "transformers_version": "4.42.4", "use_cache": true, "vocab_size": 256000}`, arch.Transformer{
			Width: 2304, Layers: 26, Heads: 8, KVHeads: 4, HeadDim: 256, FFN: 9216, Vocab: 256000, MaxPositions: 8192, NormEps: 1e-6,
			Rope: layers.Rope{Theta: 10000, Scaling: layers.RopeDefault}, Windows: allBut(26, 2, 4096), Scale: 1.0 / 16, SoftCap: 50, HeadSoftCap: 30,
			NormPosition: layers.NormAround, Activation: layers.GELUTanh, EmbeddingScale: 48,
		}},
		"gemma-3-4b-it": {`{
  "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999, "eoi_token_index": 256000, "eos_token_id": [1, 106],
  "image_token_index": 262144, "initializer_range": 0.02, "mm_tokens_per_image": 256, "model_type": "gemma3",
  "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024},
  "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
  "vision_config": {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "model_type": "siglip_vision_model", "num_attention_heads": 16,
    "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false}}`, arch.Transformer{
			Width: 2560, Layers: 34, Heads: 8, KVHeads: 4, HeadDim: 256, FFN: 10240, Vocab: 262208, MaxPositions: 131072, NormEps: 1e-6, QKNorm: true,
			Rope:      layers.Rope{Theta: 1e6, Scaling: layers.RopeLinear, Factor: 8},
			LocalRope: layers.Rope{Theta: 1e4, Scaling: layers.RopeDefault}, Windows: allBut(34, 6, 1024), Scale: 1.0 / 16,
			NormPosition: layers.NormAround, Activation: layers.GELUTanh, EmbeddingScale: float32(math.Sqrt(2560)),
		}},
		"Mistral-Small-3.1-24B-Instruct-2503": {`{
  "architectures": ["Mistral3ForConditionalGeneration"], "image_token_index": 10, "model_type": "mistral3", "multimodal_projector_bias": false,
  "projector_hidden_act": "gelu", "spatial_merge_size": 2,
  "text_config": {"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120, "initializer_range": 0.02,
    "intermediate_size": 32768, "max_position_embeddings": 131072, "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 40,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000000.0, "sliding_window": null, "use_cache": true, "vocab_size": 131072},
  "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "vision_feature_layer": -1,
  "vision_config": {"attention_dropout": 0.0, "head_dim": 64, "hidden_act": "gelu", "hidden_size": 1024, "image_size": 1540, "initializer_range": 0.02,
    "intermediate_size": 4096, "model_type": "pixtral", "num_attention_heads": 16, "num_channels": 3, "num_hidden_layers": 24, "patch_size": 14,
    "rope_theta": 10000.0}}`, arch.Transformer{
			Width: 5120, Layers: 40, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 32768, Vocab: 131072, MaxPositions: 131072, NormEps: 1e-5,
			Rope: layers.Rope{Theta: 1e9, Scaling: layers.RopeDefault}, Interleaved: true,
		}},
		"Qwen2.5-VL-3B-Instruct": {`{
  "architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
  "vision_start_token_id": 151652, "vision_end_token_id": 151653, "vision_token_id": 151654, "image_token_id": 151655, "video_token_id": 151656,
  "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 11008, "max_position_embeddings": 128000,
  "max_window_layers": 70, "model_type": "qwen2_5_vl", "num_attention_heads": 16, "num_hidden_layers": 36, "num_key_value_heads": 2,
  "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
  "transformers_version": "4.41.2", "use_cache": true, "use_sliding_window": false,
  "vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "in_chans": 3,
    "out_hidden_size": 2048, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14, "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2, "temporal_patch_size": 2},
  "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "vocab_size": 151936}`, arch.Transformer{
			Width: 2048, Layers: 36, Heads: 16, KVHeads: 2, HeadDim: 128, FFN: 11008, Vocab: 151936, MaxPositions: 128000, NormEps: 1e-6, QKVBias: true, Tied: true,
			Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeDefault},
		}},
		"LFM2-1.2B": {`{
  "architectures": ["Lfm2ForCausalLM"], "block_auto_adjust_ff_dim": true, "block_dim": 2048, "block_ff_dim": 12288, "block_ffn_dim_multiplier": 1.0,
  "block_mlp_init_scale": 1.0, "block_multiple_of": 256, "block_norm_eps": 1e-05, "block_out_init_scale": 1.0, "block_use_swiglu": true,
  "block_use_xavier_init": true, "bos_token_id": 1, "conv_L_cache": 3, "conv_bias": false, "conv_dim": 2048, "conv_dim_out": 2048,
  "conv_use_xavier_init": true, "eos_token_id": 7, "full_attn_idxs": [2, 5, 8, 10, 12, 14], "hidden_size": 2048, "initializer_range": 0.02,
  "max_position_embeddings": 128000, "model_type": "lfm2", "norm_eps": 1e-05, "num_attention_heads": 32, "num_heads": 32, "num_hidden_layers": 16,
  "num_key_value_heads": 8, "pad_token_id": 0, "rope_theta": 1000000.0, "tie_embedding": true, "torch_dtype": "bfloat16",
  "transformers_version": "4.54.0.dev0", "use_cache": true, "use_pos_enc": true, "vocab_size": 65536}`, arch.Transformer{
			Width: 2048, Layers: 16, Heads: 32, KVHeads: 8, HeadDim: 64, FFN: 8192, Vocab: 65536, MaxPositions: 128000, NormEps: 1e-5, Tied: true, QKNorm: true,
			Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeDefault}, Kernel: 3,
			Convolutions: []bool{true, true, false, true, true, false, true, true, false, true, false, true, false, true, false, true},
		}},
		"LFM2-8B-A1B": {`{
  "architectures": ["Lfm2MoeForCausalLM"], "bos_token_id": 1, "conv_L_cache": 3, "conv_bias": false, "dtype": "bfloat16", "eos_token_id": 7,
  "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 7168, "layer_types": ["conv", "conv", "full_attention", "conv"],
  "max_position_embeddings": 128000, "model_type": "lfm2_moe", "moe_intermediate_size": 1792, "norm_eps": 1e-05, "norm_topk_prob": true,
  "num_attention_heads": 32, "num_dense_layers": 2, "num_experts": 32, "num_experts_per_tok": 4, "num_hidden_layers": 4, "num_key_value_heads": 8,
  "pad_token_id": 0, "rope_theta": 1000000.0, "routed_scaling_factor": 1.0, "transformers_version": "4.57.0.dev0", "use_cache": true,
  "use_expert_bias": true, "vocab_size": 65536}`, arch.Transformer{ // the first of its 24 layers
			Width: 2048, Layers: 4, Heads: 32, KVHeads: 8, HeadDim: 64, FFN: 1792, Vocab: 65536, MaxPositions: 128000, NormEps: 1e-5, Tied: true, QKNorm: true,
			Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeDefault}, Kernel: 3, Convolutions: []bool{true, true, false, true},
			Experts: 32, Chosen: 4, Sigmoid: true, ChoiceBias: true, FirstDense: 2, DenseFFN: 7168,
		}},
		"Ministral-3-3B-Instruct-2512-BF16": {`{
  "architectures": ["Mistral3ForConditionalGeneration"], "dtype": "bfloat16", "image_token_index": 10, "model_type": "mistral3",
  "multimodal_projector_bias": false, "projector_hidden_act": "gelu", "spatial_merge_size": 2,
  "text_config": {"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02,
    "intermediate_size": 9216, "max_position_embeddings": 262144, "model_type": "ministral3", "num_attention_heads": 32, "num_hidden_layers": 26,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_parameters": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 16.0,
      "llama_4_scaling_beta": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 16384, "rope_theta": 1000000.0,
      "rope_type": "yarn", "type": "yarn"},
    "sliding_window": null, "tie_word_embeddings": true, "use_cache": true, "vocab_size": 131072},
  "transformers_version": "5.0.0.dev0", "vision_feature_layer": -1, "vision_config": {"head_dim": 64, "hidden_act": "silu", "hidden_size": 1024,
    "image_size": 1540, "intermediate_size": 4096, "model_type": "pixtral", "num_attention_heads": 16, "num_channels": 3, "num_hidden_layers": 24,
    "patch_size": 14, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}}`, arch.Transformer{
			Width: 3072, Layers: 26, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 9216, Vocab: 131072, MaxPositions: 262144, NormEps: 1e-5, Tied: true,
			Rope:     layers.Rope{Theta: 1e6, Scaling: layers.RopeYaRN, Factor: 16, OriginalContext: 16384, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1},
			LongBeta: 0.1, Interleaved: true,
		}},
		"gemma-3-1b-it": {`{
  "architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": null, "bos_token_id": 2,
  "cache_implementation": "hybrid", "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
  "hidden_size": 1152, "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 32768, "model_type": "gemma3_text",
  "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0, "query_pre_attn_scalar": 256,
  "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 512,
  "sliding_window_pattern": 6, "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "use_cache": true, "vocab_size": 262144}`, arch.Transformer{
			Width: 1152, Layers: 26, Heads: 4, KVHeads: 1, HeadDim: 256, FFN: 6912, Vocab: 262144, MaxPositions: 32768, NormEps: 1e-6, QKNorm: true,
			Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeDefault}, LocalRope: layers.Rope{Theta: 1e4, Scaling: layers.RopeDefault},
			Windows: allBut(26, 6, 512), Scale: 1.0 / 16, NormPosition: layers.NormAround, Activation: layers.GELUTanh, EmbeddingScale: float32(math.Sqrt(1152)),
		}},
		"Phi-3.5-mini-instruct": {`{
  "_name_or_path": "Phi-3.5-mini-instruct", "architectures": ["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}, "bos_token_id": 1,
  "embd_pdrop": 0.0, "eos_token_id": 32000, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02, "intermediate_size": 8192,
  "max_position_embeddings": 131072, "model_type": "phi3", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
  "original_max_position_embeddings": 4096, "pad_token_id": 32000, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
  "rope_scaling": {"long_factor": ` + list48 + `, "short_factor": ` + list48 + `, "type": "longrope"}, "rope_theta": 10000.0, "sliding_window": 262144,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.3", "use_cache": true, "vocab_size": 32064}`, arch.Transformer{
			Width: 3072, Layers: 32, Heads: 32, KVHeads: 32, HeadDim: 96, FFN: 8192, Vocab: 32064, MaxPositions: 131072, NormEps: 1e-5, Rope: longRope(),
		}},
		"Phi-4-mini-instruct": {`{
  "_name_or_path": "Phi-4-mini-instruct", "architectures": ["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config", "AutoTokenizer": "Xenova/gpt-4o"}, "bos_token_id": 199999, "embd_pdrop": 0.0,
  "eos_token_id": 199999, "full_attn_mod": 1, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02, "intermediate_size": 8192,
  "interpolate_factor": 1, "lm_head_bias": false, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "phi3",
  "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8, "original_max_position_embeddings": 4096, "pad_token_id": 199999,
  "partial_rotary_factor": 0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
  "rope_scaling": {"long_factor": ` + list48 + `, "short_factor": ` + list48 + `, "type": "longrope"}, "rope_theta": 10000.0, "sliding_window": 262144,
  "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.45.0", "use_cache": true, "vocab_size": 200064}`, arch.Transformer{
			Width: 3072, Layers: 32, Heads: 24, KVHeads: 8, HeadDim: 128, RotaryDim: 96, FFN: 8192, Vocab: 200064, MaxPositions: 131072, NormEps: 1e-5, Tied: true,
			Rope: longRope(),
		}},
		"SmolLM2-360M-Instruct": {`{
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
  "hidden_size": 960, "initializer_range": 0.02, "intermediate_size": 2560, "is_llama_config": true, "max_position_embeddings": 8192,
  "mlp_bias": false, "model_type": "llama", "num_attention_heads": 15, "num_hidden_layers": 32, "num_key_value_heads": 5, "pad_token_id": 2,
  "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000, "tie_word_embeddings": true,
  "torch_dtype": "bfloat16", "transformers_version": "4.42.3", "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, "use_cache": true,
  "vocab_size": 49152}`, arch.Transformer{
			Width: 960, Layers: 32, Heads: 15, KVHeads: 5, HeadDim: 64, FFN: 2560, Vocab: 49152, MaxPositions: 8192, NormEps: 1e-5, Tied: true, Interleaved: true,
			Rope: layers.Rope{Theta: 1e5, Scaling: layers.RopeDefault},
		}},
		"SmolLM3-3B": {`{
  "architectures": ["SmolLM3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "eos_token_id": 128012, "hidden_act": "silu",
  "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 11008, "layer_types": [` + times(36, `"full_attention"`) + `],
  "max_position_embeddings": 65536, "max_window_layers": 28, "mlp_bias": false, "model_type": "smollm3", "no_rope_layer_interval": 4,
  "no_rope_layers": [` + times(9, "1, 1, 1, 0") + `], "num_attention_heads": 16, "num_hidden_layers": 36, "num_key_value_heads": 4,
  "pad_token_id": 128004, "pretraining_tp": 2, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 5000000.0, "sliding_window": null,
  "torch_dtype": "bfloat16", "transformers_version": "4.54.0.dev0", "use_cache": false, "use_sliding_window": false, "vocab_size": 128256}`, arch.Transformer{
			Width: 2048, Layers: 36, Heads: 16, KVHeads: 4, HeadDim: 128, FFN: 11008, Vocab: 128256, MaxPositions: 65536, NormEps: 1e-6, Interleaved: true,
			Rope: layers.Rope{Theta: 5e6, Scaling: layers.RopeDefault}, NoRotary: slices.Repeat([]bool{false, false, false, true}, 9),
		}},
		"granite-4.0-micro": {`{
  "architectures": ["GraniteMoeHybridForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attention_multiplier": 0.015625,
  "bos_token_id": 100257, "embedding_multiplier": 12, "eos_token_id": 100257, "hidden_act": "silu", "hidden_size": 2560, "init_method": "mup",
  "initializer_range": 0.1, "intermediate_size": 8192, "layer_types": [` + times(40, `"attention"`) + `], "logits_scaling": 10, "mamba_chunk_size": 256,
  "mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_d_head": 64, "mamba_d_state": 256, "mamba_expand": 2, "mamba_n_groups": 1, "mamba_n_heads": 80,
  "mamba_proj_bias": false, "max_position_embeddings": 131072, "model_type": "granitemoehybrid", "normalization_function": "rmsnorm",
  "num_attention_heads": 40, "num_experts_per_tok": 0, "num_hidden_layers": 40, "num_key_value_heads": 8, "num_local_experts": 0,
  "output_router_logits": false, "pad_token_id": 100256, "position_embedding_type": "rope", "residual_multiplier": 0.22, "rms_norm_eps": 1e-05,
  "rope_scaling": null, "rope_theta": 10000000, "router_aux_loss_coef": 0.01, "shared_intermediate_size": 8192, "tie_word_embeddings": true,
  "torch_dtype": "bfloat16", "transformers_version": "4.56.0", "use_cache": true, "vocab_size": 100352}`, arch.Transformer{
			Width: 2560, Layers: 40, Heads: 40, KVHeads: 8, HeadDim: 64, FFN: 8192, Vocab: 100352, MaxPositions: 131072, NormEps: 1e-5, Tied: true, Interleaved: true,
			Rope: layers.Rope{Theta: 1e7, Scaling: layers.RopeDefault}, EmbeddingScale: 12, Scale: 0.015625, Residual: 0.22, HeadScale: 0.1,
		}},
		"Mistral-Nemo-Instruct-2407": {`{
  "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 128, "hidden_act": "silu",
  "hidden_size": 5120, "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 131072, "model_type": "mistral",
  "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
  "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.0.dev0", "use_cache": true,
  "vocab_size": 131072}`, arch.Transformer{
			Width: 5120, Layers: 40, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 14336, Vocab: 131072, MaxPositions: 131072, NormEps: 1e-5, Interleaved: true,
			Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeDefault},
		}},
		"DeepSeek-R1-Distill-Qwen-1.5B": {`{
  "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151643, "hidden_act": "silu",
  "hidden_size": 1536, "initializer_range": 0.02, "intermediate_size": 8960, "max_position_embeddings": 131072, "max_window_layers": 21,
  "model_type": "qwen2", "num_attention_heads": 12, "num_hidden_layers": 28, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 10000,
  "sliding_window": 4096, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.44.0", "use_cache": true,
  "use_mrope": false, "use_sliding_window": false, "vocab_size": 151936}`, arch.Transformer{
			Width: 1536, Layers: 28, Heads: 12, KVHeads: 2, HeadDim: 128, FFN: 8960, Vocab: 151936, MaxPositions: 131072, NormEps: 1e-6, QKVBias: true,
			Rope: layers.Rope{Theta: 1e4, Scaling: layers.RopeDefault},
		}},
		"DeepSeek-R1-Distill-Llama-8B": {`{
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000, "eos_token_id": 128001,
  "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 131072,
  "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1,
  "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": false,
  "torch_dtype": "bfloat16", "transformers_version": "4.43.0.dev0", "use_cache": true, "vocab_size": 128256}`, arch.Transformer{
			Width: 4096, Layers: 32, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 14336, Vocab: 128256, MaxPositions: 131072, NormEps: 1e-5, Interleaved: true,
			Rope: layers.Rope{Theta: 5e5, Scaling: layers.RopeLlama3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192},
		}},
		"DeepSeek-R1-0528-Qwen3-8B": {`{
  "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
  "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 12288,
  "max_position_embeddings": 131072, "max_window_layers": 36, "model_type": "qwen3", "num_attention_heads": 32, "num_hidden_layers": 36,
  "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": {"rope_type": "yarn", "factor": 4.0,
    "original_max_position_embeddings": 32768, "attn_factor": 0.8782488562869419}, "rope_theta": 1000000, "sliding_window": null,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false,
  "vocab_size": 151936}`, arch.Transformer{
			Width: 4096, Layers: 36, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 12288, Vocab: 151936, MaxPositions: 131072, NormEps: 1e-6, QKNorm: true,
			Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeYaRN, Factor: 4, OriginalContext: 32768, BetaFast: 32, BetaSlow: 1,
				AttentionFactor: (0.1*math.Log(4) + 1) * 0.8782488562869419},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse([]byte(c.json))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestTextPartRefused: what the part for text asks for is not lost among the other parts.
func TestTextPartRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type": "llama", "hidden_size": 64}`:                     `text_config: model_type = "llama"; known are mistral, ministral3`,
		`{"attention_sinks": true}`:                                      `text_config: attention_sinks = true`,
		`{"quantization_config": {"quant_method": "gptq"}}`:              `text_config: weights quantised with quant_method "gptq"`,
		`{"hidden_act": "gelu"}`:                                         `text_config: hidden_act = "gelu"`,
		`{"rope_scaling": {"type": "mrope", "mrope_section": [16, 24]}}`: `rope_type = "mrope"`,
		`7`:                  `text_config = 7 is not an object`,
		`{"hidden_size": 0}`: `text_config: hidden_size = 0`,
	} {
		_, err := arch.Parse([]byte(`{"model_type": "mistral3", "text_config": ` + text + `}`))
		if unsupported := strings.Contains(want, "hidden_size = 0") || text == "7"; err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, arch.ErrUnsupported) == unsupported {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestConvolutionsRefused(t *testing.T) {
	for more, want := range map[string]string{
		`"conv_bias": true`:                                              `conv_bias = true`,
		`"conv_dim": 128`:                                                `conv_dim = 128 with hidden_size = 64`,
		`"block_use_swiglu": false`:                                      `block_use_swiglu = false`,
		`"layer_types": ["conv", "mamba"]`:                               `layer_types with "mamba" for layer 1`,
		`"layer_types": ["conv"]`:                                        `1 names for 2 layers`,
		`"layer_types": ["conv", "conv"], "full_attn_idxs": [1]`:         `full_attn_idxs = [1]`,
		`"full_attn_idxs": [1], "conv_L_cache": 0`:                       `a convolution of 0 rows`,
		`"block_multiple_of": 0`:                                         `block_multiple_of = 0`,
		`"theta": 5, "rope_theta": 0`:                                    `rope_theta = 0`,
		`"full_attn_idxs": [1], "conv_L_cache": 3, "hidden_act": "relu"`: `hidden_act = "relu"`,
	} {
		_, err := arch.Parse([]byte(`{"model_type": "lfm2", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96, ` + more + "}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", more, err, want)
		}
	}
}
