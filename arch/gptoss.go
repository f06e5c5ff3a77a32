package arch

import (
	"strings"

	"github.com/lever-go/lever/layers"
)

// GPTOSS is the architecture of gpt-oss: experts with biases in place of the MLP of every block, biases in attention, a window in every other layer,
// and a score of each query head that takes part in its softmax without a value. Its experts are in MXFP4.
var GPTOSS = &Architecture{
	Name: "gpt_oss", Class: "GptOssForCausalLM", GGUF: "gpt-oss",
	GGUFKeys: map[string]string{
		"expert_count": "num_local_experts", "expert_used_count": "num_experts_per_tok", "expert_feed_forward_length": "intermediate_size",
		"attention.sliding_window": "sliding_window",
	},
	FromGGUF: gptOSSFromGGUF,
	Parse:    parseGPTOSS,
}

func gptOSSFromGGUF(config map[string]any, _ func(string) bool) {
	config["attention_bias"], config["swiglu_limit"] = true, clampLimit
	if scaling, ok := config["rope_scaling"].(map[string]any); ok && scaling != nil {
		scaling["truncate"] = false // as files of Hugging Face say
	}
}

func parseGPTOSS(v *Values) (*Model, error) {
	t := v.Dense("")
	v.refusePartlyRotated(&t)
	v.Windows(&t, 2)
	v.Need("num_local_experts", &t.Experts)
	v.Need("num_experts_per_tok", &t.Chosen)
	v.repeats("experts_per_token", "num_experts_per_tok", t.Chosen)
	v.Has("initial_context_length") // that of rope_scaling
	v.Bool("attention_bias", &t.QKVBias)
	v.only("swiglu_limit", clampLimit)
	t.OutputBias, t.Sinks, t.ExpertBias, t.Activation = t.QKVBias, true, true, layers.ClampedSwiGLU
	m, err := t.Model()
	if err != nil {
		return nil, err
	}
	m.Rename("mlp.gate.", "mlp.router.")
	for _, step := range m.Steps {
		for i := range step {
			step[i].GGUF = strings.Replace(step[i].GGUF, ".ffn_norm.", ".post_attention_norm.", 1)
			step[i].joinExperts()
		}
	}
	return m, nil
}

// joinExperts names the part of an expert as files of gpt-oss do, when gate and up, whose rows stand there by turns, are told apart: the matrices
// of all experts of a block are one, and so are the biases.
func (t *Tensor) joinExperts() {
	names := strings.Split(t.Name, ".") // block.LAYER.expert.N.PART
	if t.Expert == "" {
		return
	}
	part, bias := strings.CutSuffix(names[4], "_bias")
	t.HF, t.HFRow = "model.layers."+names[1]+".mlp.experts."+part+"_proj", t.GGUFRow
	if bias {
		t.HF += "_bias"
	}
}

// clampLimit is the limit of layers.ClampedSwiGLU.
const clampLimit = 7.0
