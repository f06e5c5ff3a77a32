package arch_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/layers"
)

// llama31 is the computing part of the configuration of Llama-3.1-8B.
const llama31 = `{
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false, "attention_dropout": 0.0,
  "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072, "mlp_bias": false,
  "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "vocab_size": 128256}`

// qwen3 is the computing part of the configuration of Qwen3-0.6B, whose head size is not hidden_size / num_attention_heads.
const qwen3 = `{
  "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": false, "head_dim": 128, "hidden_act": "silu",
  "hidden_size": 1024, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
  "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null,
  "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151936}`

// mistral7B is the computing part of the configuration of Mistral-7B-v0.1.
const mistral7B = `{
  "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
  "max_position_embeddings": 32768, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false, "vocab_size": 32000}`

// granite is the computing part of the configuration of granite-3.1-2b-instruct.
const granite = `{
  "architectures": ["GraniteForCausalLM"], "model_type": "granite", "attention_bias": false, "attention_multiplier": 0.015625, "embedding_multiplier": 12.0,
  "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192, "logits_scaling": 8.0, "max_position_embeddings": 131072, "mlp_bias": false,
  "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8, "residual_multiplier": 0.22, "rms_norm_eps": 1e-05,
  "rope_scaling": null, "rope_theta": 5000000.0, "tie_word_embeddings": true, "vocab_size": 49155}`

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want arch.Transformer
	}{
		"llama 3.1": {llama31, arch.Transformer{
			Interleaved: true, Width: 4096, Layers: 32, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 14336, Vocab: 128256, MaxPositions: 131072, NormEps: 1e-5,
			Rope: layers.Rope{Theta: 500000, Scaling: layers.RopeLlama3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192},
		}},
		"mistral 7b v0.1": {mistral7B, arch.Transformer{
			Interleaved: true, Width: 4096, Layers: 32, Heads: 32, KVHeads: 8, HeadDim: 128, FFN: 14336, Vocab: 32000, MaxPositions: 32768, NormEps: 1e-5,
			Rope: layers.Rope{Theta: 10000, Scaling: layers.RopeDefault}, Windows: slices.Repeat([]int{4096}, 32),
		}},
		"granite 3.1 2b": {granite, arch.Transformer{
			Interleaved: true, Width: 2048, Layers: 40, Heads: 32, KVHeads: 8, HeadDim: 64, FFN: 8192, Vocab: 49155, MaxPositions: 131072, NormEps: 1e-5, Tied: true,
			Rope:           layers.Rope{Theta: 5000000, Scaling: layers.RopeDefault},
			EmbeddingScale: 12, Scale: 0.015625, Residual: 0.22, HeadScale: 0.125,
		}},
		"qwen3": {qwen3, arch.Transformer{
			QKNorm: true, Width: 1024, Layers: 28, Heads: 16, KVHeads: 8, HeadDim: 128, FFN: 3072, Vocab: 151936, MaxPositions: 40960, NormEps: 1e-6, Tied: true,
			Rope: layers.Rope{Theta: 1000000, Scaling: layers.RopeDefault},
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

// parse returns the configuration of a dense model.
func parse(text []byte) (arch.Transformer, error) {
	m, err := arch.Parse(text)
	if err != nil {
		return arch.Transformer{}, err
	}
	switch g := m.Config.(type) {
	case *arch.Gemma4Transformer:
		return g.Transformer, g.Validate()
	case *arch.Gemma3nTransformer:
		return g.Transformer, g.Validate()
	}
	return *m.Config.(*arch.Transformer), nil
}

// with returns base, a JSON object, with one key set to value, or removed if value is empty.
func with(t testing.TB, base, key, value string) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(base), &object); err != nil {
		t.Fatal(err)
	}
	object[key] = json.RawMessage(value)
	if value == "" {
		delete(object, key)
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseDefaults(t *testing.T) {
	for _, c := range []struct {
		key, value string
		got        func(arch.Transformer) any
		want       any
	}{
		{"num_key_value_heads", "", func(c arch.Transformer) any { return c.KVHeads }, 32},
		{"rms_norm_eps", "", func(c arch.Transformer) any { return c.NormEps }, float32(1e-6)},
		{"max_position_embeddings", "", func(c arch.Transformer) any { return c.MaxPositions }, 2048},
		{"rope_theta", "", func(c arch.Transformer) any { return c.Rope.Theta }, 10000.0},
		{"head_dim", "64", func(c arch.Transformer) any { return c.HeadDim }, 64},
		{"architectures", "", func(c arch.Transformer) any { return c.Interleaved }, true},
		{"model_type", "", func(c arch.Transformer) any { return c.Interleaved }, true},
		{"rope_scaling", "null", func(c arch.Transformer) any { return c.Rope.Scaling }, layers.RopeDefault},
		{"rope_scaling", `{"type": "default"}`, func(c arch.Transformer) any { return c.Rope.Scaling }, layers.RopeDefault},
		{"rope_parameters", `{"rope_type": "default", "rope_theta": 500000}`, func(c arch.Transformer) any { return c.Rope.Theta }, 500000.0},
		{"rope_parameters", `{"full_attention": {"rope_type": "default"}}`, func(c arch.Transformer) any { return c.Rope.Scaling }, layers.RopeLlama3},
		{"layer_types", `["full_attention"]`, func(c arch.Transformer) any { return c.Layers }, 32},
		{"sliding_window", "null", func(c arch.Transformer) any { return c.Layers }, 32},
	} {
		cfg, err := parse([]byte(with(t, llama31, c.key, c.value)))
		if err != nil {
			t.Errorf("%s = %s: %v", c.key, c.value, err)
		} else if got := c.got(cfg); got != c.want {
			t.Errorf("%s = %s: got %v, want %v", c.key, c.value, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		key, value  string
		want        string // in the error's text
		unsupported bool
	}{
		{"architectures", `["MixtralForCausalLM"]`, "MixtralForCausalLM", true},
		{"model_type", `"qwen3"`, "qwen3", true},
		{"attention_bias", "true", "attention_bias = true", true},
		{"mlp_bias", "true", "mlp_bias = true", true},
		{"hidden_act", `"gelu"`, `hidden_act = "gelu"`, true},
		{"sliding_window", "4096", "sliding_window = 4096", true},
		{"use_sliding_window", "true", "use_sliding_window = true", true},
		{"layer_types", `["full_attention", "sliding_attention"]`, "sliding_attention", true},
		{"partial_rotary_factor", "0.5", "partial_rotary_factor = 0.5", true},
		{"quantization_config", `{"quant_method": "fp8"}`, "quantization_config", true},
		{"quantization_config", `{"quant_method": "gptq", "bits": 4, "desc_act": true}`, `quant_method "gptq"`, true},
		{"quantization_config", `{"load_in_4bit": true}`, `"bitsandbytes"`, true},
		{"num_local_experts", "8", "num_local_experts = 8", true},
		{"attn_logit_softcapping", "50.0", "attn_logit_softcapping = 50.0", true},
		{"logits_scaling", "8.0", "logits_scaling = 8.0", true},
		{"rope_scaling", `{"rope_type": "mrope", "factor": 4}`, `rope_type = "mrope"`, true},
		{"rope_scaling", `{"rope_type": "yarn"}`, "factor = 0", false},
		{"rope_scaling", `{"rope_type": "yarn", "factor": 4, "beta_fast": 0.5}`, "beta_fast = 0.5", false},
		{"rope_scaling", `{"rope_type": "yarn", "factor": 4, "attention_factor": -1}`, "attention_factor = -1", false},
		{"rope_scaling", `{"rope_type": "yarn", "factor": 4, "extrapolation_factor": 2}`, "extrapolation_factor = 2", true},
		{"rope_scaling", `{"rope_type": "linear", "factor": 0.5}`, "factor = 0.5", false},
		{"rope_scaling", `{"rope_type": "linear", "factor": 2, "beta_fast": 1}`, "beta_fast = 1", true},
		{"rope_scaling", `{"rope_type": "dynamic", "alpha": 1000}`, "alpha = 1000", true},
		{"rope_scaling", `{"rope_type": "longrope", "short_factor": [1]}`, "1 factors", false},
		{"rope_scaling", `{"rope_type": "llama3", "factor": 8}`, "low_freq_factor", false},
		{"rope_scaling", `{"rope_type": "llama3", "factor": 0}`, "factor = 0", false},
		{"rope_scaling", `{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}`, "original_max_position_embeddings = 0", false},
		{"rope_scaling", `{"rope_type": "factors", "factors": [1, 2]}`, "2 factors", false},
		{"rope_scaling", `{"rope_type": "factors", "factors": [` + strings.Repeat("1,", 63) + `0]}`, "factors[63] = 0", false},
		{"rope_scaling", `{"factor": 4}`, "without rope_type", true},
		{"rope_scaling", `{"rope_type": "default", "mscale": 2}`, "mscale = 2", true},
		{"rope_scaling", `[4]`, "is not an object", false},
		{"rope_parameters", `{"rope_type": "default", "rope_theta": 7}`, "rope_parameters.rope_theta = 7", false},
		{"rope_parameters", `{"full_attention": {}, "sliding_attention": {}}`, "several types of layers", true},
		{"rope_parameters", `{"partial_rotary_factor": 0.5}`, "partial_rotary_factor = 0.5", true},
		{"rope_theta", "0", "rope_theta = 0", false},
		{"hidden_size", "0", "hidden_size = 0", false},
		{"hidden_size", "-4096", "hidden_size = -4096", false},
		{"hidden_size", "", "hidden_size is missing", false},
		{"hidden_size", "1e300", "hidden_size", false},
		{"num_hidden_layers", "1000000000", "num_hidden_layers = 1000000000", false},
		{"num_attention_heads", "33", "head_dim is missing", false},
		{"num_key_value_heads", "5", "no multiple of num_key_value_heads = 5", false},
		{"num_key_value_heads", "0", "num_key_value_heads = 0", false},
		{"head_dim", "127", "head_dim = 127 is odd", false},
		{"intermediate_size", "9223372036854775807", "intermediate_size", false},
		{"vocab_size", "0", "vocab_size = 0", false},
		{"max_position_embeddings", "0", "max_position_embeddings = 0", false},
		{"rms_norm_eps", "0", "rms_norm_eps = 0", false},
		{"rms_norm_eps", `"x"`, "rms_norm_eps", false},
	} {
		_, err := parse([]byte(with(t, llama31, c.key, c.value)))
		switch {
		case err == nil:
			t.Errorf("%s = %s: no error", c.key, c.value)
		case !strings.Contains(err.Error(), c.want) || errors.Is(err, arch.ErrUnsupported) != c.unsupported:
			t.Errorf("%s = %s: got %q (unsupported: %v), want %q (unsupported: %v)", c.key, c.value, err, errors.Is(err, arch.ErrUnsupported), c.want, c.unsupported)
		}
	}
	for _, text := range []string{"", "null", "[]", "{}", `{"model_type": "llama"}`} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// deepSeekQwen3 is the rotary scaling of DeepSeek-R1-0528-Qwen3-8B, whose factor for attention undoes YaRN's.
const deepSeekQwen3 = `{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "attn_factor": 0.8782488562869419}`

func TestScalings(t *testing.T) {
	long := strings.TrimSuffix(strings.Repeat("2,", 63)+"2", ",")
	for value, want := range map[string]layers.Rope{
		deepSeekQwen3: {Scaling: layers.RopeYaRN, Factor: 4, OriginalContext: 32768, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1},
		`{"type": "yarn", "factor": 4, "attention_factor": 1.5, "beta_fast": 16, "beta_slow": 2, "truncate": false}`: {
			Scaling: layers.RopeYaRN, Factor: 4, OriginalContext: 131072, BetaFast: 16, BetaSlow: 2, Exact: true, AttentionFactor: 1.5},
		`{"rope_type": "yarn", "factor": 4, "mscale": 0.5, "mscale_all_dim": 2}`: {
			Scaling: layers.RopeYaRN, Factor: 4, OriginalContext: 131072, BetaFast: 32, BetaSlow: 1, AttentionFactor: (1 + 0.05*math.Log(4)) / (1 + 0.2*math.Log(4))},
		`{"rope_type": "linear", "factor": 8.0}`:  {Scaling: layers.RopeLinear, Factor: 8},
		`{"rope_type": "dynamic", "factor": 8.0}`: {Scaling: layers.RopeDefault},
		`{"type": "longrope", "short_factor": [` + strings.ReplaceAll(long, "2", "1") + `], "long_factor": [` + long + `], "original_max_position_embeddings": 4096}`: {
			Scaling: layers.RopeLong, Factors: slices.Repeat([]float64{1}, 64), LongFactors: slices.Repeat([]float64{2}, 64), OriginalContext: 4096,
			AttentionFactor: math.Sqrt(1 + math.Log(32)/math.Log(4096))},
	} {
		got, err := parse([]byte(with(t, llama31, "rope_scaling", value)))
		want.Theta = 500000
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if math.Abs(got.Rope.AttentionFactor-want.AttentionFactor) > 1e-12 {
			t.Errorf("%s: attention factor %v, want %v", value, got.Rope.AttentionFactor, want.AttentionFactor)
		}
		got.Rope.AttentionFactor = want.AttentionFactor
		if !reflect.DeepEqual(got.Rope, want) {
			t.Errorf("%s: got %+v, want %+v", value, got.Rope, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(llama31))
	f.Add([]byte(qwen3))
	f.Add([]byte(with(f, qwen3, "head_dim", "-2")))
	f.Add([]byte(with(f, llama31, "rope_scaling", `{"rope_type": "factors", "factors": [1]}`)))
	f.Add([]byte(with(f, qwen3, "rope_scaling", deepSeekQwen3)))
	f.Add([]byte(`{"model_type": "llama", "hidden_size": 9e18}`))
	f.Add([]byte(gemma4Small + `, "num_kv_shared_layers": 2, "rope_scaling": {"rope_type": "factors", "factors": [1]}}`))
	f.Add([]byte(gemma3nSmall + `, "activation_sparsity_pattern": [0.95], "vocab_size_per_layer_input": 80}`))
	f.Add([]byte(`{"model_type": "mistral3", "text_config": {"model_type": "mistral", "sliding_window": null}}`))
	f.Add([]byte(`{"model_type": "lfm2", "hidden_size": 64, "block_ff_dim": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96, "full_attn_idxs": [1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, err := parse(text)
		if err != nil {
			return
		}
		if err := cfg.Validate(); err != nil {
			t.Errorf("parsed but not valid: %v", err)
		}
		for _, v := range cfg.Rope.Frequencies(cfg.HeadDim) {
			if math.IsNaN(v) || v < 0 {
				t.Errorf("frequency %v of %+v", v, cfg.Rope)
			}
		}
	})
}

func TestParseOfSharedModels(t *testing.T) {
	for _, name := range []string{"lever-tiny-llama/target", "lever-tiny-llama/draft", "qwen3-random"} {
		text, err := os.ReadFile(filepath.Join(testdata.Shared(t, "models/"+name), "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A tensor has one name everywhere.
func TestNamesOfTensorsAreUnique(t *testing.T) {
	for _, config := range []string{llama31, qwen3} {
		m, err := arch.Parse([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		all := slices.Concat(m.Steps...)
		for _, x := range all {
			names[x.Name], names[x.HF], names[x.GGUF] = true, true, true
		}
		if len(names) != 3*len(all) {
			t.Errorf("%d names of %d tensors: %v", len(names), len(all), slices.Sorted(maps.Keys(names)))
		}
	}
}
