package arch_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
)

// proportional is the rotary embedding of global layers of the published models: a quarter of the pairs turn.
func proportional() layers.Rope {
	factors := slices.Repeat([]float64{1e30}, 256)
	for i := range 64 {
		factors[i] = 1
	}
	return layers.Rope{Theta: 1e6, Scaling: layers.RopeFactors, Factors: factors}
}

// gemma4 completes the description of a published model, of which every pattern-th layer has no window.
func gemma4(g arch.Gemma4Transformer, pattern, window int) arch.Gemma4Transformer {
	g.HeadDim, g.GlobalHeadDim, g.Vocab, g.NormEps, g.Tied, g.QKNorm, g.Scale = 256, 512, 262144, 1e-6, true, true, 1
	g.Rope, g.GlobalRope = layers.Rope{Theta: 1e4, Scaling: layers.RopeDefault}, proportional()
	g.NormPosition, g.Activation, g.HeadSoftCap, g.EmbeddingScale = layers.NormAround, layers.GELUTanh, 30, float32(math.Sqrt(float64(g.Width)))
	g.Windows = allBut(g.Layers, pattern, window)
	for _, w := range g.Windows {
		g.Global = append(g.Global, w == 0)
	}
	return g
}

// gemma4JSON is the configuration of a published model, with the keys that differ in place of %.
const gemma4JSON = `{
  "architectures": ["Gemma4ForConditionalGeneration"], "audio_token_id": 258881, "boa_token_id": 256000, "boi_token_id": 255999, "dtype": "bfloat16",
  "eoa_token_index": 258883, "eoi_token_id": 258882, "eos_token_id": [1, 106], "image_token_id": 258880, "initializer_range": 0.02, "model_type": "gemma4",
  "text_config": {"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2, "dtype": "bfloat16", "enable_moe_block": false, "eos_token_id": 1,
    "final_logit_softcapping": 30.0, "global_head_dim": 512, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "initializer_range": 0.02,
    "model_type": "gemma4_text", "moe_intermediate_size": null, "num_experts": null, "pad_token_id": 0, "rms_norm_eps": 1e-06,
    "rope_parameters": {"full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1000000.0, "rope_type": "proportional"},
      "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}},
    "tie_word_embeddings": true, "top_k_experts": null, "use_cache": true, "vocab_size": 262144, "vocab_size_per_layer_input": 262144, %},
  "tie_word_embeddings": true, "transformers_version": "5.5.0.dev0", "video_token_id": 258884, "vision_soft_tokens_per_image": 280,
  "audio_config": {"hidden_size": 1024, "model_type": "gemma4_audio", "attention_logit_cap": 50.0}, "vision_config": {"hidden_size": 768, "model_type": "gemma4_vision",
    "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"}}}`

const (
	four = `"sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention"`
	five = `"sliding_attention", ` + four
)

// TestPublishedGemma4 is TestPublished of models that a Transformer alone does not describe.
func TestPublishedGemma4(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want arch.Gemma4Transformer
	}{
		"gemma-4-E2B-it": {`"attention_k_eq_v": false, "hidden_size": 1536, "hidden_size_per_layer_input": 256, "intermediate_size": 6144,
			"layer_types": [` + times(7, four) + `], "max_position_embeddings": 131072, "num_attention_heads": 8, "num_global_key_value_heads": null,
			"num_hidden_layers": 35, "num_key_value_heads": 1, "num_kv_shared_layers": 20, "sliding_window": 512, "use_bidirectional_attention": null,
			"use_double_wide_mlp": true`,
			gemma4(arch.Gemma4Transformer{
				Transformer:   arch.Transformer{Width: 1536, Layers: 35, Heads: 8, KVHeads: 1, FFN: 6144, MaxPositions: 131072},
				GlobalKVHeads: 1, SharedKV: 20, WideShared: true, InputDim: 256,
			}, 5, 512)},
		"gemma-4-E4B-it": {`"attention_k_eq_v": false, "hidden_size": 2560, "hidden_size_per_layer_input": 256, "intermediate_size": 10240,
			"layer_types": [` + times(7, five) + `], "max_position_embeddings": 131072, "num_attention_heads": 8, "num_global_key_value_heads": null,
			"num_hidden_layers": 42, "num_key_value_heads": 2, "num_kv_shared_layers": 18, "sliding_window": 512, "use_bidirectional_attention": null,
			"use_double_wide_mlp": false`,
			gemma4(arch.Gemma4Transformer{
				Transformer:   arch.Transformer{Width: 2560, Layers: 42, Heads: 8, KVHeads: 2, FFN: 10240, MaxPositions: 131072},
				GlobalKVHeads: 2, SharedKV: 18, InputDim: 256,
			}, 6, 512)},
		"gemma-4-31B-it": {`"attention_k_eq_v": true, "hidden_size": 5376, "hidden_size_per_layer_input": 0, "intermediate_size": 21504,
			"layer_types": [` + times(10, five) + `], "max_position_embeddings": 262144, "num_attention_heads": 32, "num_global_key_value_heads": 4,
			"num_hidden_layers": 60, "num_key_value_heads": 16, "num_kv_shared_layers": 0, "sliding_window": 1024, "use_bidirectional_attention": "vision",
			"use_double_wide_mlp": false`,
			gemma4(arch.Gemma4Transformer{
				Transformer:   arch.Transformer{Width: 5376, Layers: 60, Heads: 32, KVHeads: 16, FFN: 21504, MaxPositions: 262144},
				GlobalKVHeads: 4, KeysAsValues: true,
			}, 6, 1024)},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := arch.Parse([]byte(strings.Replace(gemma4JSON, "%", c.json, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if got := *m.Config.(*arch.Gemma4Transformer); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// gemma4Small is a configuration without its closing brace.
const gemma4Small = `{"model_type": "gemma4_text", "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2,
	"intermediate_size": 96, "vocab_size": 90, "vocab_size_per_layer_input": 90, "head_dim": 16, "global_head_dim": 32`

func TestGemma4Refused(t *testing.T) {
	if _, err := arch.Parse([]byte(gemma4Small + "}")); err != nil {
		t.Fatal(err)
	}
	rope := func(global, local string) string {
		return `"rope_parameters": {"full_attention": {"rope_type": "proportional"` + global + `}, "sliding_attention": {"rope_theta": 1e4` + local + `}}`
	}
	for more, want := range map[string]string{
		`"enable_moe_block": true`:                                  `enable_moe_block = true`,
		`"use_bidirectional_attention": "all"`:                      `use_bidirectional_attention = "all"`,
		`"per_layer_config": {"5": {"head_dim": 64}}`:               `per_layer_config = {`,
		`"vocab_size_per_layer_input": 80`:                          `vocab_size_per_layer_input = 80 with vocab_size = 90`,
		`"hidden_activation": "silu"`:                               `hidden_activation = "silu"`,
		`"num_kv_shared_layers": 5`:                                 `no layer before them is of the kind of layer 5`,
		`"num_kv_shared_layers": 6`:                                 `num_kv_shared_layers + 1 = 7 is outside`,
		`"num_kv_shared_layers": -1`:                                `num_kv_shared_layers + 1 = 0 is outside`,
		`"global_head_dim": 31`:                                     `global_head_dim = 31 is odd`,
		`"global_head_dim": 0`:                                      `global_head_dim = 0 is outside`,
		`"sliding_window": 0`:                                       `sliding_window = 0`,
		`"layer_types": ["sliding_attention"]`:                      `1 names for 6 layers`,
		`"layer_types": [` + times(6, `"chunked"`) + `]`:            `layer_types with "chunked"`,
		`"attention_k_eq_v": true, "num_global_key_value_heads": 3`: `num_global_key_value_heads = 3`,
		`"hidden_size_per_layer_input": -3`:                         `hidden_size_per_layer_input + 1 = -2`,
		`"attention_bias": true`:                                    `attention_bias = true`,
		`"intermediate_sizes": [96, 96]`:                            `intermediate_sizes = [96 96], not [96 96 96 96 96 96]`,
		`"key_value_heads": [2, 2, 2, 2, 2, 1]`:                     `key_value_heads = [2 2 2 2 2 1], not`,
		`"head_dim_swa": 8`:                                         `head_dim_swa = 8 with head_dim = 16`,
		rope(`, "partial_rotary_factor": 2`, ``):                    `partial_rotary_factor = 2`,
		rope(`, "partial_rotary_factor": "x"`, ``):                  `partial_rotary_factor = x`,
		rope(`, "mscale": 2`, ``):                                   `mscale = 2`,
		rope(``, `, "partial_rotary_factor": 0.5`):                  `sliding_attention.partial_rotary_factor = 0.5`,
		rope(``, `, "rope_type": "ntk"`):                            `rope_type = "ntk"`,
	} {
		if _, err := arch.Parse([]byte(gemma4Small + ", " + more + "}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", more, err, want)
		}
	}
}

// The last layer has no window, whatever the list of kinds says, and without a list every sixth has none.
func TestGemma4Kinds(t *testing.T) {
	for more, want := range map[string][]bool{
		``: {false, false, false, false, false, true},
		`, "layer_types": [` + times(3, `"full_attention", "sliding_attention"`) + `]`: {true, false, true, false, true, true},
	} {
		m, err := arch.Parse([]byte(gemma4Small + more + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Config.(*arch.Gemma4Transformer).Global; !slices.Equal(got, want) {
			t.Errorf("%s: layers without a window %v, want %v", more, got, want)
		}
	}
}

// TestPublishedGemma3n is TestPublished of models that a Transformer alone does not describe.
func TestPublishedGemma3n(t *testing.T) {
	share := 0.95
	sparse := math.Sqrt2 * math.Erfinv(2*share-1)
	for name, c := range map[string]struct {
		layers, shared int
		width          string
		ffn            int
	}{
		"gemma-3n-E2B-it": {30, 10, "[" + times(30, "8192") + "]", 8192},
		"gemma-3n-E4B-it": {35, 15, "16384", 16384},
	} {
		m, err := arch.Parse([]byte(fmt.Sprintf(`{
  "architectures": ["Gemma3nForConditionalGeneration"], "audio_soft_tokens_per_image": 188, "audio_token_id": 262273, "boa_token_id": 256000, "boi_token_id": 255999,
  "eos_token_id": [1, 106], "image_token_id": 262145, "initializer_range": 0.02, "model_type": "gemma3n", "torch_dtype": "bfloat16", "transformers_version": "4.53.0.dev0",
  "text_config": {"activation_sparsity_pattern": [`+times(10, "0.95")+", "+times(c.layers-10, "0.0")+`], "altup_active_idx": 0, "altup_coef_clip": 120.0,
    "altup_correct_scale": true, "altup_lr_multiplier": 1.0, "altup_num_inputs": 4, "attention_bias": false, "attention_dropout": 0.0,
    "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2048, "hidden_size_per_layer_input": 256,
    "initializer_range": 0.02, "intermediate_size": %s, "laurel_rank": 64, "layer_types": [`+times(c.layers/5, four)+`],
    "max_position_embeddings": 32768, "model_type": "gemma3n_text", "num_attention_heads": 8, "num_hidden_layers": %d, "num_key_value_heads": 2,
    "num_kv_shared_layers": %d, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0, "rope_scaling": null,
    "rope_theta": 1000000.0, "sliding_window": 512, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 262400, "vocab_size_per_layer_input": 262144},
  "audio_config": {"conf_attention_chunk_size": 12, "model_type": "gemma3n_audio"}, "vision_config": {"model_type": "gemma3n_vision"}}`, c.width, c.layers, c.shared)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := arch.Gemma3nTransformer{
			Transformer: arch.Transformer{
				Width: 2048, Layers: c.layers, Heads: 8, KVHeads: 2, HeadDim: 256, FFN: c.ffn, Vocab: 262400, MaxPositions: 32768, NormEps: 1e-6, QKNorm: true,
				Rope: layers.Rope{Theta: 1e6, Scaling: layers.RopeDefault}, LocalRope: layers.Rope{Theta: 1e4, Scaling: layers.RopeDefault}, Scale: 1,
				NormPosition: layers.NormAround, Activation: layers.GELUTanh, HeadSoftCap: 30, EmbeddingScale: float32(math.Sqrt(2048)),
				Windows: allBut(c.layers, 5, 512),
			},
			SharedKV: c.shared, InputDim: 256, Inputs: 262144, Streams: 4, Rank: 64, Clip: 120,
			Cutoffs: slices.Concat(slices.Repeat([]float64{sparse}, 10), make([]float64, c.layers-10)),
		}
		for _, w := range want.Windows {
			want.Global = append(want.Global, w == 0)
		}
		if got := *m.Config.(*arch.Gemma3nTransformer); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, want)
		}
	}
}

// gemma3nSmall is a configuration without its closing brace.
const gemma3nSmall = `{"model_type": "gemma3n_text", "hidden_size": 64, "num_hidden_layers": 10, "num_attention_heads": 4, "num_key_value_heads": 2,
	"intermediate_size": 96, "vocab_size": 90, "head_dim": 16, "num_kv_shared_layers": 4`

func TestGemma3nRefused(t *testing.T) {
	if _, err := arch.Parse([]byte(gemma3nSmall + "}")); err != nil {
		t.Fatal(err)
	}
	for more, want := range map[string]string{
		`"altup_active_idx": 1`:                                   `altup_active_idx = 1`,
		`"altup_correct_scale": false`:                            `altup_correct_scale = false`,
		`"altup_num_inputs": 1`:                                   `altup_num_inputs − 1 = 0`,
		`"altup_coef_clip": -1`:                                   `altup_coef_clip = -1`,
		`"laurel_rank": 0`:                                        `laurel_rank = 0`,
		`"hidden_size_per_layer_input": 0`:                        `hidden_size_per_layer_input = 0`,
		`"vocab_size_per_layer_input": 91`:                        `vocab_size_per_layer_input = 91`,
		`"num_kv_shared_layers": 6`:                               `no layer before them is of the kind of layer 4`,
		`"num_kv_shared_layers": 10`:                              `num_kv_shared_layers + 1 = 11`,
		`"activation_sparsity_pattern": [0.5]`:                    `10, 10 and 1`,
		`"activation_sparsity_pattern": [1]`:                      `1, which is no share`,
		`"activation_sparsity_scale": [` + times(10, "1e9") + `]`: `activation_sparsity_scale has 1e+09`,
		`"intermediate_size": [96, 97]`:                           `intermediate_size = [96,97]`,
		`"attn_logit_softcapping": 50`:                            `attn_logit_softcapping = 50`,
	} {
		text := gemma3nSmall + ", " + more + "}"
		if strings.HasPrefix(more, `"intermediate`) || strings.HasPrefix(more, `"num_kv`) {
			key, value, _ := strings.Cut(more, ": ")
			text = with(t, gemma3nSmall+"}", strings.Trim(key, `"`), value)
		}
		if _, err := arch.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", more, err, want)
		}
	}
}

// GGUF files have infinitely few deviations where gates are not sparse.
func TestGemma3nFromGGUF(t *testing.T) {
	config := map[string]any{"activation_sparsity_scale": []float32{1.5, float32(math.Inf(-1))}, "sliding": []bool{true, false}, "vocab_size": int64(90)}
	arch.Gemma3nText.FromGGUF(config, nil)
	want := map[string]any{
		"activation_sparsity_scale": []float64{1.5, 0}, "layer_types": []string{"sliding_attention", "full_attention"}, "vocab_size": int64(90),
		"vocab_size_per_layer_input": int64(90), "hidden_activation": "gelu_pytorch_tanh",
	}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("got %v, want %v", config, want)
	}
}
