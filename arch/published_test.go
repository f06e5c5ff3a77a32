package arch_test

import (
	"reflect"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
)

// everyOther returns the windows of layers of which those with an even index see a window.
func everyOther(layers, window int) []int {
	of := make([]int, layers)
	for i := 0; i < layers; i += 2 {
		of[i] = window
	}
	return of
}

// TestPublished: configurations with all the keys and values that published models have are understood.
func TestPublished(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want arch.Transformer
	}{
		"gemma-2-2b-it": {`{
  "architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": 50.0, "bos_token_id": 2,
  "cache_implementation": "hybrid", "eos_token_id": [1, 107], "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
  "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02, "intermediate_size": 9216,
  "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4,
  "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096,
  "torch_dtype": "bfloat16", "transformers_version": "4.42.4", "use_cache": true, "vocab_size": 256000}`, arch.Transformer{
			Width: 2304, Layers: 26, Heads: 8, KVHeads: 4, HeadDim: 256, FFN: 9216, Vocab: 256000, MaxPositions: 8192, NormEps: 1e-6,
			Rope: layers.Rope{Theta: 10000, Scaling: layers.RopeDefault}, Windows: everyOther(26, 4096), Scale: 1.0 / 16, SoftCap: 50, HeadSoftCap: 30,
			Placement: layers.NormAround, Activation: layers.GELUTanh, EmbeddingScale: 48,
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
