package weights

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/modelconfig"
)

// architecture is what a configuration says about the tensors of a model.
type architecture struct {
	hidden, ffn, vocab      int
	layers                  int
	heads, kvHeads, headDim int
	qkNorm                  bool // Qwen3
}

// parseArchitecture reads a configuration in the vocabulary of config.json, as opening the model will; file is its name in errors. tied is nil
// where the configuration does not say.
func parseArchitecture(config []byte, file string) (a architecture, tied *bool, err error) {
	c, err := modelconfig.Parse(config)
	if errors.Is(err, modelconfig.ErrUnsupported) {
		return a, nil, badSource(ErrUnsupported, file, "", "%s", strings.TrimSuffix(err.Error(), ": "+modelconfig.ErrUnsupported.Error()))
	}
	if err != nil {
		return a, nil, badSource(ErrCorrupt, file, "", "%v", err)
	}
	return architecture{
		hidden: c.Width, ffn: c.FFN, vocab: c.Vocab, layers: c.Layers, heads: c.Heads, kvHeads: c.KVHeads, headDim: c.HeadDim,
		qkNorm: c.Family == modelconfig.Qwen3,
	}, c.Tied, nil
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
