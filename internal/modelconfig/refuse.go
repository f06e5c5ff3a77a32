package modelconfig

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
)

const fullAttention = "full_attention"

// understood are the keys that other functions read.
var understood = []string{
	"architectures", "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
	"num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "rope_theta", "rope_scaling",
	"rope_parameters", "layer_types", "sliding_window", "quantization_config",
}

// harmless are keys that look as if they changed what a model computes, but do not.
var harmless = []string{
	"max_window_layers", // counts only with use_sliding_window
	"pretraining_tp",    // how matrices are cut, not what they hold
	"original_max_position_embeddings",
}

// harmlessWords are parts of keys that say how a model is trained or run rather than what it computes.
var harmlessWords = []string{"dropout", "pdrop", "drop", "implementation", "flash", "output", "loss", "coef", "initializer", "init", "cache"}

// tellingWords are parts of keys that say what a model computes.
var tellingWords = []string{
	"rope", "rotary", "alibi", "attention", "attn", "window", "sliding", "expert", "experts", "moe", "router", "qk", "softcap", "softcapping", "clip",
	"multiplier", "scale", "scaling", "scalar", "residual", "bias", "act", "activation", "mup", "mamba", "ssm", "quant", "quantization",
	"quantize", "quantized", "compression", "sink", "sinks", "sparse", "parallel",
}

// refuse reports the first key that asks for a computation that is not known here.
func (o *object) refuse() error {
	if err := o.refuseQuantization(); err != nil {
		return err
	}
	var types []string
	o.decode("layer_types", &types, "a list of names")
	useWindow := o.has("sliding_window")
	o.decode("use_sliding_window", &useWindow, "true or false")
	if o.err != nil {
		return o.err
	}
	for _, t := range types {
		if t != fullAttention {
			return unsupported("layer_types with %s", fileerr.Quote(t))
		}
	}
	if useWindow && o.has("sliding_window") {
		return unsupported("sliding_window = %s", o.show("sliding_window"))
	}
	for _, key := range slices.Sorted(maps.Keys(o.values)) {
		if !isHarmless(key) && !isNeutral(key, o.values[key]) {
			return unsupported("%s = %s", fileerr.Name(key), o.show(key))
		}
	}
	return nil
}

// refuseQuantization says by which method the weights are quantised, where the configuration says that they are.
func (o *object) refuseQuantization() error {
	for _, key := range []string{"quantization_config", "compression_config", "quantization"} {
		if !o.has(key) {
			continue
		}
		var q struct {
			Method string          `json:"quant_method"`
			Bits4  bool            `json:"load_in_4bit"`
			Bits8  bool            `json:"load_in_8bit"`
			Group  json.RawMessage `json:"group_size"`
		}
		if json.Unmarshal(o.values[key], &q) != nil {
			return unsupported("%s = %s", key, o.show(key))
		}
		method := q.Method
		switch {
		case method != "":
		case q.Bits4 || q.Bits8:
			method = "bitsandbytes"
		case key == "compression_config":
			method = "compressed-tensors"
		case q.Group != nil:
			method = "mlx"
		}
		return unsupported("weights quantised with quant_method %s (%s); take the model that they were made from, or a GGUF file of it", fileerr.Quote(method), key)
	}
	return nil
}

func isHarmless(key string) bool {
	if slices.Contains(understood, key) || slices.Contains(harmless, key) || strings.HasPrefix(key, "_") {
		return true
	}
	words := strings.Split(strings.ToLower(key), "_")
	has := func(list []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	return has(harmlessWords) || !has(tellingWords)
}

// isNeutral reports whether the value of a key says that what the key is about is not used.
func isNeutral(key string, raw json.RawMessage) bool {
	switch text := string(raw); text {
	case "null", "false", "0", "0.0", `""`, "[]", "{}":
		return true
	case `"silu"`, `"swish"`: // two names of the activation that both families have
		return strings.Contains(key, "act")
	}
	return isOne(raw) && slices.ContainsFunc([]string{"scale", "scaling", "multiplier", "factor"}, func(w string) bool { return strings.Contains(key, w) })
}
