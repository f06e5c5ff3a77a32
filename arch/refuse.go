package arch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
)

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

// refuse reports the first key that asks for a computation that nobody has asked about.
func (v *Values) refuse() error {
	for _, key := range slices.Sorted(maps.Keys(v.values)) {
		if !v.asked[key] && !isHarmless(key) && !isNeutral(key, v.values[key]) {
			return Unsupported("%s = %s", fileerr.Name(key), v.show(key))
		}
	}
	return nil
}

// refuseQuantization says by which method the weights are quantised, where the configuration says that they are.
func (v *Values) refuseQuantization() error {
	for _, key := range []string{"quantization_config", "compression_config", "quantization"} {
		if !v.Has(key) {
			continue
		}
		var q struct {
			Method string          `json:"quant_method"`
			Bits4  bool            `json:"load_in_4bit"`
			Bits8  bool            `json:"load_in_8bit"`
			Group  json.RawMessage `json:"group_size"`
		}
		if json.Unmarshal(v.values[key], &q) != nil {
			return Unsupported("%s = %s", key, v.show(key))
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
		return Unsupported("weights quantised with quant_method %s (%s); take the model that they were made from, or a GGUF file of it", fileerr.Quote(method), key)
	}
	return nil
}

func isHarmless(key string) bool {
	if slices.Contains(harmless, key) || strings.HasPrefix(key, "_") {
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
