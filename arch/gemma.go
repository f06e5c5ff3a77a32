package arch

import (
	"math"
	"strings"

	"github.com/lever-go/lever/layers"
)

// Gemma2 is the architecture of Gemma 2: norms around attention and MLP whose gains files of Hugging Face keep around 0, GELU, a scaled embedding, limits
// of scores and logits, and a window in every other layer.
var Gemma2 = &Architecture{
	Name: "gemma2", Class: "Gemma2ForCausalLM", GGUF: "gemma2",
	GGUFKeys: map[string]string{
		"attention.sliding_window": "sliding_window", "attn_logit_softcapping": "attn_logit_softcapping", "final_logit_softcapping": "final_logit_softcapping",
	},
	FromGGUF: gemmaFromGGUF(46),
	Parse:    parseGemma2,
}

func parseGemma2(v *Values) (*Model, error) {
	v.Default("head_dim", 256)
	v.Default("sliding_window", 4096)
	t := v.gemma("")
	t.SoftCap, t.HeadSoftCap = 50, 30
	v.gemmaSoftCaps(&t)
	v.Windows(&t, 2)
	return gemmaModel(&t)
}

// Gemma3Text is the architecture of the Gemma 3 models for text alone: as Gemma 2 with norms of queries and keys instead of limits, a window in
// five of six layers, and other frequencies in these.
var Gemma3Text = &Architecture{
	Name: "gemma3_text", Class: "Gemma3ForCausalLM", GGUF: "gemma3",
	GGUFKeys: map[string]string{
		"attention.sliding_window": "sliding_window", "attention.sliding_window_pattern": "sliding_window_pattern", "rope.freq_base_swa": "rope_local_base_freq",
		"final_logit_softcapping": "final_logit_softcapping",
	},
	FromGGUF: gemmaFromGGUF(62),
	Parse:    parseGemma3,
}

// Gemma3 is the architecture of the larger Gemma 3 models, which are for images and text.
var Gemma3 = TextPart("gemma3", "Gemma3ForConditionalGeneration", Gemma3Text)

func parseGemma3(v *Values) (*Model, error) {
	for key, value := range map[string]any{
		"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262208, "max_position_embeddings": 131072, "sliding_window": 4096,
	} {
		v.Default(key, value)
	}
	if !v.Has("rope_parameters") {
		v.Default("rope_theta", 1e6)
	}
	t := v.gemma(fullAttention)
	v.gemmaSoftCaps(&t)
	t.QKNorm = true
	t.LocalRope = v.localRope()
	pattern := 6
	v.Int("sliding_window_pattern", &pattern)
	v.Int("_sliding_window_pattern", &pattern)
	v.Windows(&t, pattern)
	return gemmaModel(&t)
}

// localRope reads the rotary embedding of layers with a window.
func (v *Values) localRope() layers.Rope {
	r := layers.Rope{Theta: 10000, Scaling: layers.RopeDefault}
	v.Float("rope_local_base_freq", &r.Theta)
	kinds := &Values{}
	v.Decode("rope_parameters", &kinds.values, "an object")
	if local := kinds.ropeObject(slidingAttention, ""); local != nil {
		theta, part := 10000.0, 1.0
		local.Float("rope_theta", &theta)
		if local.Float(partialRotary, &part); part != 1 {
			v.Fail(Unsupported("rope_parameters.%s.%s = %v", slidingAttention, partialRotary, part))
		}
		r = local.ropeScaling(v)
		r.Theta = theta
		if local.err != nil {
			v.Fail(local.err)
		}
	}
	return r
}

// gemma reads what the older generations have in common.
func (v *Values) gemma(ropeKind string) Transformer {
	t := v.Dense(ropeKind)
	v.refusePartlyRotated(&t)
	v.gemmaActivation(&t)
	if bidirectional := false; v.Has("use_bidirectional_attention") {
		if v.Bool("use_bidirectional_attention", &bidirectional); bidirectional {
			v.Fail(Unsupported("use_bidirectional_attention = true"))
		}
	}
	scalar := 256.0
	v.Float("query_pre_attn_scalar", &scalar)
	t.Scale = float32(1 / math.Sqrt(scalar))
	return t
}

// gemmaActivation reads the activation, and sets what all generations have beside it.
func (v *Values) gemmaActivation(t *Transformer) {
	act := "gelu_pytorch_tanh"
	v.Text("hidden_act", &act) // which files of Gemma 2 state beside the other, and mean nothing by
	v.Text("hidden_activation", &act)
	if act != "gelu_pytorch_tanh" {
		v.Fail(Unsupported("hidden_activation = %q", act))
	}
	t.Activation, t.NormPosition = layers.GELUTanh, layers.NormAround
	t.EmbeddingScale = float32(math.Sqrt(float64(t.Width)))
}

func (v *Values) gemmaSoftCaps(t *Transformer) {
	for key, limit := range map[string]*float32{"attn_logit_softcapping": &t.SoftCap, "final_logit_softcapping": &t.HeadSoftCap} {
		if v.isNull(key) {
			*limit = 0
		}
		v.Float32(key, limit)
	}
}

// gemmaModel lists the tensors, whose gains files of Hugging Face keep around 0.
func gemmaModel(t *Transformer) (*Model, error) {
	m, err := t.Model()
	if err != nil {
		return nil, err
	}
	for _, step := range m.Steps {
		for i := range step {
			if step[i].Vector && strings.HasSuffix(step[i].Name, "norm") {
				step[i].HFOffset = 1
			}
		}
	}
	return m, nil
}

// gemmaFromGGUF says what GGUF files of Gemma do not: the activation, and the scale of scores, which differs in the largest model of each generation.
func gemmaFromGGUF(largest int64) func(config map[string]any, has func(string) bool) {
	return func(config map[string]any, _ func(string) bool) {
		delete(config, "hidden_act")
		config["hidden_activation"] = "gelu_pytorch_tanh"
		config["query_pre_attn_scalar"] = config["head_dim"]
		width, _ := config["hidden_size"].(int64)
		if heads, _ := config["num_attention_heads"].(int64); config["num_hidden_layers"] == largest && heads > 0 {
			config["query_pre_attn_scalar"] = width / heads
		}
	}
}
