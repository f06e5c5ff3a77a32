package arch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
)

// harmless are keys that say nothing about what a model computes.
var harmless = []string{
	// What the file is.
	"architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "name_or_path", "auto_map", "transformers.js_config", "license",
	"tokenizer_class", "tokenizer_model_max_length", "model_name", "base_model", "library_name", "tags", "author", "description", "version",
	"source", "creation_date", "generation_config", "summary_type", "lora_r", "lora_alpha", "keys_to_ignore_at_inference", "finetuning_task",
	"task_specific_params", "problem_type", "id2label", "label2id", "num_labels", "language", "model_max_length", "seq_length", "max_seq_len",
	"max_seq_length", "max_sequence_length", "n_ctx", "base_model_name_or_path", "padding_side",
	// How the model is trained or run.
	"use_cache", "cache_implementation", "use_sdpa", "use_liger_kernel", "use_fused_rms_norm", "inference_dtype", "fp16", "bf16", "zero_stage",
	"ep_size", "virtual_pp_degree", "use_cache_quantization", "gradient_checkpointing", "is_llama_config", "use_bfloat16", "torchscript",
	"is_decoder", "chunk_size_feed_forward", "pretraining_tp", "router_jitter_noise", "output_attentions", "output_hidden_states",
	"output_router_logits", "output_scores", "return_dict",
	"max_window_layers", // counts only with use_sliding_window
	"original_max_position_embeddings",
	// How texts are written, which is what generation_config.json says today.
	"temperature", "top_k", "top_p", "min_p", "typical_p", "do_sample", "max_length", "min_length", "max_new_tokens", "num_beams",
	"num_beam_groups", "num_return_sequences", "diversity_penalty", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
	"encoder_no_repeat_ngram_size", "bad_words_ids", "early_stopping", "return_dict_in_generate", "remove_invalid_values", "suppress_tokens",
	"begin_suppress_tokens", "exponential_decay_length_penalty", "prefix",
}

// specialTokens are the ends of keys that name one.
var specialTokens = []string{"_token", "_tokens", "_token_id", "_token_ids", "_token_index"}

// harmlessWords are parts of keys with the same meaning: of training, of how attention is run, and of programs that leave notes.
var harmlessWords = []string{
	"dropout", "pdrop", "initializer", "init", "loss", "coef", "implementation", "flash", "tokenizer", "peft", "merge", "neftune", "freeze", "unsloth",
	"trl", "paddlenlp",
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
	return slices.Contains(harmless, key) || strings.HasPrefix(key, "_") ||
		slices.ContainsFunc(specialTokens, func(end string) bool { return strings.HasSuffix(key, end) }) ||
		slices.ContainsFunc(strings.Split(key, "_"), func(word string) bool { return slices.Contains(harmlessWords, word) })
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
