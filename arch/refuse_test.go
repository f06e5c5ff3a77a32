package arch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
)

// base is a configuration without its closing brace.
const base = `{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
	"num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 100`

func parseWith(more string) (arch.Transformer, error) { return parse([]byte(base + more + "}")) }

const llama3 = `{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64}`

func TestRope(t *testing.T) {
	for more, want := range map[string]struct {
		theta   float64
		scaling layers.RopeScaling
	}{
		``:                     {10000, "default"},
		`, "rope_theta": 5e5`:  {5e5, "default"},
		`, "rope_theta": null`: {10000, "default"},
		`, "rope_theta": 5e5, "rope_scaling": {}`:                                                                           {5e5, "default"},
		`, "rope_parameters": {"rope_theta": 5e5}`:                                                                          {5e5, "default"},
		`, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5, "partial_rotary_factor": 1.0}`:                    {5e5, "default"},
		`, "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 5e5}}`:                              {5e5, "default"},
		`, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "rope_scaling": ` + llama3:                       {5e5, "llama3"},
		`, "rope_parameters": ` + llama3 + `, "rope_scaling": {"type": "default"}`:                                          {10000, "default"},
		`, "rope_parameters": ` + llama3 + `, "rope_scaling": null`:                                                         {10000, "llama3"},
		`, "rope_scaling": {"type": "llama3", ` + llama3[1:]:                                                                {10000, "llama3"},
		`, "rope_theta": 5e5, "rope_parameters": {"rope_type": "default", "rope_theta": 500000}, "rope_scaling": ` + llama3: {5e5, "llama3"},
	} {
		c, err := parseWith(more)
		if err != nil {
			t.Errorf("%s: %v", more, err)
		} else if c.Rope.Theta != want.theta || c.Rope.Scaling != want.scaling {
			t.Errorf("%s: %+v, want %+v", more, c.Rope, want)
		}
	}
}

// What a configuration asks for and no decoder does is never dropped.
func TestRefused(t *testing.T) {
	for more, want := range map[string]string{
		`, "rope_scaling": {"factor": 8.0}`:                                                        `factor = 8.0 and without rope_type`,
		`, "rope_scaling": {"rope_type": "default", "factor": 8.0}`:                                `factor = 8.0 with rope_type = "default"`,
		`, "rope_scaling": {"rope_type": "ntk", "factor": 4.0}`:                                    `rope_type = "ntk"`,
		`, "rope_scaling": {"type": "mrope", "rope_type": "default"}`:                              `type = "mrope"`,
		`, "rope_scaling": {"attention_factor": 2, ` + llama3[1:]:                                  `attention_factor = 2`,
		`, "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}`:              `partial_rotary_factor = 0.5`,
		`, "rope_parameters": {"full_attention": {"rope_type": "ntk", "factor": 2}}`:               `rope_type = "ntk"`,
		`, "rope_parameters": {"full_attention": {}, "sliding_attention": {"rope_theta": 10}}`:     `several types of layers`,
		`, "partial_rotary_factor": 0.5`:                                                           `partial_rotary_factor = 0.5`,
		`, "rope_interleaved": true`:                                                               `rope_interleaved = true`,
		`, "rope_local_base_freq": 10000`:                                                          `rope_local_base_freq`,
		`, "hidden_act": "gelu"`:                                                                   `hidden_act = "gelu"`,
		`, "sliding_window": 512`:                                                                  `sliding_window = 512`,
		`, "sliding_window": 512, "use_sliding_window": true`:                                      `sliding_window = 512`,
		`, "attention_bias": true`:                                                                 `attention_bias = true`,
		`, "mlp_bias": true`:                                                                       `mlp_bias = true`,
		`, "layer_types": ["full_attention", "chunked_attention"]`:                                 `chunked_attention`,
		`, "num_local_experts": 8`:                                                                 `num_local_experts = 8`,
		`, "attn_logit_softcapping": 50.0`:                                                         `attn_logit_softcapping = 50.0`,
		`, "residual_multiplier": 0.22`:                                                            `residual_multiplier = 0.22`,
		`, "attn_output_gate": true`:                                                               `attn_output_gate = true`,
		`, "output_multiplier": 0.5`:                                                               `output_multiplier = 0.5`,
		`, "kv_lora_rank": 512`:                                                                    `kv_lora_rank = 512`,
		`, "norm_type": "layernorm"`:                                                               `norm_type = "layernorm"`,
		`, "logits_cap": 30.0`:                                                                     `logits_cap = 30.0`,
		`, "num_kv_shared_layers": 4`:                                                              `num_kv_shared_layers = 4`,
		`, "is_causal": false`:                                                                     `is_causal = false`,
		`, "nonsense": 7`:                                                                          `nonsense = 7`,
		`, "use_qk_norm": true`:                                                                    `use_qk_norm = true`,
		`, "quantization_config": {"quant_method": "gptq", "bits": 4}`:                             `quant_method "gptq"`,
		`, "quantization_config": {"load_in_4bit": true}`:                                          `quant_method "bitsandbytes"`,
		`, "quantization": {"group_size": 64, "bits": 4}`:                                          `quant_method "mlx"`,
		`, "compression_config": {"format": "pack-quantized"}`:                                     `quant_method "compressed-tensors"`,
		`, "quantization_config": {"quant_method": "\u001b[31m` + strings.Repeat("x", 9999) + `"}`: `\x1b[31mxxx`,
	} {
		_, err := parseWith(more)
		if !errors.Is(err, arch.ErrUnsupported) || !strings.Contains(err.Error(), want) || len(err.Error()) > 600 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.100s: %v; want %q", more, err, want)
		}
	}
	for more, want := range map[string]string{
		`, "rope_theta": 5e5, "rope_parameters": {"rope_theta": 1e6}`: "remove the wrong one",
		`, "rope_scaling": 8`: "rope_scaling = 8 is not an object",
		`, "rope_scaling": "` + strings.Repeat("x", 9999) + `"`: "(10001 bytes)",
		`, "head_dim": 16.5`:                         "head_dim = 16.5 is not an integer",
		`, "head_dim": ` + strings.Repeat("9", 9999): "head_dim = 999",
		`, "tie_word_embeddings": 1`:                 "tie_word_embeddings = 1 is not true or false",
	} {
		_, err := parseWith(more)
		if err == nil || errors.Is(err, arch.ErrUnsupported) || !strings.Contains(err.Error(), want) || len(err.Error()) > 600 {
			t.Errorf("%.100s: %v; want %q", more, err, want)
		}
	}
}

// Configurations hold much that changes nothing.
func TestIgnored(t *testing.T) {
	for _, more := range []string{
		`"hidden_act": "silu", "attention_bias": false, "mlp_bias": false, "attention_dropout": 0.1, "pretraining_tp": 2, "initializer_range": 0.02`,
		`"_name_or_path": "x", "_attn_implementation": "flash_attention_2", "_flash_attn_2_enabled": true, "use_cache": true, "torch_dtype": "bfloat16"`,
		`"sliding_window": 4096, "use_sliding_window": false, "max_window_layers": 28, "layer_types": ["full_attention", "full_attention"]`,
		`"rope_interleaved": false, "is_llama_config": true, "partial_rotary_factor": 1.0, "embedding_multiplier": 1.0, "num_experts": 0`,
		`"quantization_config": null, "unsloth_version": "2025.1", "bos_token_id": 1, "eos_token_id": [2, 3], "transformers_version": "5.0.0"`,
		`"hidden_size": 64.0`,
		`"model_name": "x", "max_sequence_length": 2048, "use_sdpa": true, "is_causal": true, "lora_r": 16, "neftune_noise_alpha": 5, "fp16": true`,
		`"is_decoder": true, "output_attentions": true, "classifier_dropout": 0.1, "temperature": 1.0, "id2label": {"0": "LABEL_0"}, "use_parallel_residual": false`,
	} {
		if _, err := parseWith(", " + more); err != nil {
			t.Errorf("%s: %v", more, err)
		}
	}
}
