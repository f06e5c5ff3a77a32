package weights

import (
	"encoding/json"
	"fmt"
	"slices"
)

// architecture is what a configuration says about the tensors of a model.
type architecture struct {
	hidden, ffn, vocab      int
	layers                  int
	heads, kvHeads, headDim int
	qkNorm                  bool // Qwen3
}

// part of config.json that decides which tensors there are.
type shapeConfig struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	Hidden        int      `json:"hidden_size"`
	FFN           int      `json:"intermediate_size"`
	Vocab         int      `json:"vocab_size"`
	Layers        int      `json:"num_hidden_layers"`
	Heads         int      `json:"num_attention_heads"`
	KVHeads       int      `json:"num_key_value_heads"`
	HeadDim       int      `json:"head_dim"`
	Tied          *bool    `json:"tie_word_embeddings"`
}

const maxLayers = 1 << 12

// parseArchitecture reads a configuration in the vocabulary of config.json; file is its name in errors. tied is nil where the
// configuration does not say.
func parseArchitecture(config []byte, file string) (a architecture, tied *bool, err error) {
	var c shapeConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return a, nil, badSource(ErrCorrupt, file, "", "%v", err)
	}
	switch {
	case slices.Equal(c.Architectures, []string{"LlamaForCausalLM"}), len(c.Architectures) == 0 && c.ModelType == "llama":
	case slices.Equal(c.Architectures, []string{"Qwen3ForCausalLM"}), len(c.Architectures) == 0 && c.ModelType == "qwen3":
		a.qkNorm = true
	default:
		return a, nil, badSource(ErrUnsupported, file, "", "architecture %v (model type %q); known are LlamaForCausalLM and Qwen3ForCausalLM", c.Architectures, c.ModelType)
	}
	a.hidden, a.ffn, a.vocab, a.layers, a.heads, a.kvHeads, a.headDim = c.Hidden, c.FFN, c.Vocab, c.Layers, c.Heads, c.KVHeads, c.HeadDim
	if a.kvHeads == 0 {
		a.kvHeads = a.heads
	}
	if a.headDim == 0 && a.heads > 0 {
		a.headDim = a.hidden / a.heads
	}
	for _, f := range []struct {
		key        string
		value, max int
	}{
		{"hidden_size", a.hidden, maxCols}, {"intermediate_size", a.ffn, maxCols}, {"vocab_size", a.vocab, maxRows},
		{"num_hidden_layers", a.layers, maxLayers}, {"num_attention_heads", a.heads, 1 << 12},
		{"num_key_value_heads", a.kvHeads, 1 << 12}, {"head_dim", a.headDim, 1 << 12},
	} {
		if f.value <= 0 || f.value > f.max {
			return a, nil, badSource(ErrCorrupt, file, "", "%s is %d, not within 1 to %d", f.key, f.value, f.max)
		}
	}
	return a, c.Tied, nil
}

// role is one tensor that a model consists of: its name in a store and in the formats that are converted, and its shape.
type role struct {
	name, hf, gguf string
	rows, cols     int
	vector         bool // one row, a norm gain
	rotaryHeads    bool // rows are heads of q or k, which GGUF files of Llama interleave
}

// steps returns the tensors of each execution step in order of use. Those of the last step are the final norm and, unless tied,
// the head.
func (a architecture) steps(tied bool) [][]role {
	vector := func(name, hf, gguf string, n int) role {
		return role{name: name, hf: hf + ".weight", gguf: gguf + ".weight", rows: 1, cols: n, vector: true}
	}
	matrix := func(name, hf, gguf string, rows, cols int) role {
		return role{name: name, hf: hf + ".weight", gguf: gguf + ".weight", rows: rows, cols: cols}
	}
	steps := [][]role{{matrix(embeddingName, "model.embed_tokens", "token_embd", a.vocab, a.hidden)}}
	for l := range a.layers {
		block, hf, gguf := fmt.Sprintf("block.%d.", l), fmt.Sprintf("model.layers.%d.", l), fmt.Sprintf("blk.%d.", l)
		q := matrix(block+"q", hf+"self_attn.q_proj", gguf+"attn_q", a.heads*a.headDim, a.hidden)
		k := matrix(block+"k", hf+"self_attn.k_proj", gguf+"attn_k", a.kvHeads*a.headDim, a.hidden)
		q.rotaryHeads, k.rotaryHeads = true, true
		step := []role{
			vector(block+"attn_norm", hf+"input_layernorm", gguf+"attn_norm", a.hidden),
			q, k,
			matrix(block+"v", hf+"self_attn.v_proj", gguf+"attn_v", a.kvHeads*a.headDim, a.hidden),
		}
		if a.qkNorm {
			step = append(step,
				vector(block+"q_norm", hf+"self_attn.q_norm", gguf+"attn_q_norm", a.headDim),
				vector(block+"k_norm", hf+"self_attn.k_norm", gguf+"attn_k_norm", a.headDim))
		}
		steps = append(steps, append(step,
			matrix(block+"o", hf+"self_attn.o_proj", gguf+"attn_output", a.hidden, a.heads*a.headDim),
			vector(block+"mlp_norm", hf+"post_attention_layernorm", gguf+"ffn_norm", a.hidden),
			matrix(block+"gate", hf+"mlp.gate_proj", gguf+"ffn_gate", a.ffn, a.hidden),
			matrix(block+"up", hf+"mlp.up_proj", gguf+"ffn_up", a.ffn, a.hidden),
			matrix(block+"down", hf+"mlp.down_proj", gguf+"ffn_down", a.hidden, a.ffn)))
	}
	last := []role{vector("final_norm", "model.norm", "output_norm", a.hidden)}
	if !tied {
		last = append(last, headRole(a))
	}
	return append(steps, last)
}

func headRole(a architecture) role {
	return role{name: headName, hf: "lm_head.weight", gguf: "output.weight", rows: a.vocab, cols: a.hidden}
}
