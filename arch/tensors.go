package arch

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/layers"
)

// Fuse says that files keep the tensors of a block with these names, after its own, as one under another name, one after the other. An empty name of
// the fused tensor says that files of that format do not.
func (m *Model) Fuse(hf, gguf string, names ...string) {
	for _, step := range m.Steps {
		var parts []*Tensor
		for _, name := range names {
			for i := range step {
				if strings.HasPrefix(step[i].Name, "block.") && strings.HasSuffix(step[i].Name, "."+name) {
					parts = append(parts, &step[i])
				}
			}
		}
		from := 0
		for _, t := range parts {
			layer := strings.Split(t.Name, ".")[1]
			if hf != "" {
				t.HF, t.HFRow = "model.layers."+layer+"."+hf+".weight", from
			}
			if gguf != "" {
				t.GGUF, t.GGUFRow = "blk."+layer+"."+gguf+".weight", from
			}
			from += t.Rows
		}
	}
}

// Rename gives tensors other names in files of Hugging Face.
func (m *Model) Rename(old, new string) {
	for _, step := range m.Steps {
		for i := range step {
			step[i].HF = strings.Replace(step[i].HF, old, new, 1)
		}
	}
}

// vector and matrix describe a tensor by its names, of which files add the last part.
func vector(name, hf, gguf string, n int) Tensor {
	return Tensor{Name: name, HF: hf + ".weight", GGUF: gguf + ".weight", Rows: 1, Cols: n, Vector: true}
}

func matrix(name, hf, gguf string, rows, cols int) Tensor {
	return Tensor{Name: name, HF: hf + ".weight", GGUF: gguf + ".weight", Rows: rows, Cols: cols}
}

// steps lists the tensors.
func (t *Transformer) steps() [][]Tensor {
	steps := [][]Tensor{t.embedding()}
	for l := range t.Layers {
		steps = append(steps, t.block(l))
	}
	return append(steps, t.ends())
}

// embedding lists the tensor of the first step.
func (t *Transformer) embedding() []Tensor {
	return []Tensor{matrix(Embedding, "model.embed_tokens", "token_embd", t.Vocab, t.Width)}
}

// block lists the tensors of a layer.
func (t *Transformer) block(l int) []Tensor {
	block, hf, gguf := fmt.Sprintf("block.%d.", l), fmt.Sprintf("model.layers.%d.", l), fmt.Sprintf("blk.%d.", l)
	step := []Tensor{vector(block+"attn_norm", hf+"input_layernorm", gguf+"attn_norm", t.Width)}
	if t.convolves(l) {
		step = append(step, t.convolution(block, hf, gguf)...)
	} else {
		step = append(step, t.attention(block, hf, gguf)...)
	}
	mlpNorm := "post_attention_layernorm"
	if t.NormPosition == layers.NormAround {
		mlpNorm = "pre_feedforward_layernorm"
		step = append(step, vector(block+"attn_post_norm", hf+"post_attention_layernorm", gguf+"post_attention_norm", t.Width))
	}
	step = append(step, vector(block+"mlp_norm", hf+mlpNorm, gguf+"ffn_norm", t.Width))
	experts, ffn := t.feedForward(l)
	if experts > 0 {
		router := matrix(block+"router", hf+"mlp.gate", gguf+"ffn_gate_inp", experts, t.Width)
		if step = append(step, router); t.ExpertBias {
			step = append(step, router.bias())
		}
		if t.ChoiceBias {
			step = append(step, Tensor{Name: block + "choice_bias", HF: hf + "mlp.expert_bias", GGUF: gguf + "exp_probs_b.bias", Rows: 1, Cols: experts, Vector: true})
		}
	} else {
		step = append(step,
			matrix(block+"gate", hf+"mlp.gate_proj", gguf+"ffn_gate", ffn, t.Width),
			matrix(block+"up", hf+"mlp.up_proj", gguf+"ffn_up", ffn, t.Width),
			matrix(block+"down", hf+"mlp.down_proj", gguf+"ffn_down", t.Width, ffn))
	}
	for e := range experts {
		step = append(step, t.expert(l, e)...)
	}
	if t.NormPosition == layers.NormAround {
		step = append(step, vector(block+"mlp_post_norm", hf+"post_feedforward_layernorm", gguf+"post_ffw_norm", t.Width))
	}
	return step
}

// ends lists the tensors of the last step.
func (t *Transformer) ends() []Tensor {
	return []Tensor{
		vector(FinalNorm, "model.norm", "output_norm", t.Width),
		{Name: Head, HF: "lm_head.weight", GGUF: "output.weight", Rows: t.Vocab, Cols: t.Width},
	}
}

// attention lists the tensors of an attention, of which the parameters are the first parts of the names.
func (t *Transformer) attention(block, hf, gguf string) (step []Tensor) {
	queries, keys := t.Heads*t.HeadDim, t.KVHeads*t.HeadDim
	for _, p := range []struct {
		name string
		rows int
	}{{"q", queries}, {"k", keys}, {"v", keys}} {
		m := matrix(block+p.name, hf+"self_attn."+p.name+"_proj", gguf+"attn_"+p.name, p.rows, t.Width)
		if t.Interleaved && p.name != "v" {
			m.GGUFHeadDim = t.HeadDim
		}
		if step = append(step, m); t.QKVBias {
			step = append(step, m.bias())
		}
	}
	if t.QKNorm {
		step = append(step,
			vector(block+"q_norm", hf+"self_attn.q_norm", gguf+"attn_q_norm", t.HeadDim),
			vector(block+"k_norm", hf+"self_attn.k_norm", gguf+"attn_k_norm", t.HeadDim))
	}
	if t.Sinks {
		step = append(step, Tensor{
			Name: block + "sinks", HF: hf + "self_attn.sinks", GGUF: gguf + "attn_sinks.weight", Rows: 1, Cols: t.Heads, Vector: true,
		})
	}
	o := matrix(block+"o", hf+"self_attn.o_proj", gguf+"attn_output", t.Width, queries)
	if step = append(step, o); t.OutputBias {
		step = append(step, o.bias())
	}
	return step
}

// bias returns the bias of a matrix, named like it.
func (t *Tensor) bias() Tensor {
	return Tensor{
		Name: t.Name + "_bias", HF: strings.TrimSuffix(t.HF, "weight") + "bias", GGUF: strings.TrimSuffix(t.GGUF, "weight") + "bias",
		Rows: 1, Cols: t.Rows, Vector: true, Expert: t.Expert,
	}
}

// convolution lists those of a short convolution.
func (t *Transformer) convolution(block, hf, gguf string) []Tensor {
	return []Tensor{
		matrix(block+"in", hf+"conv.in_proj", gguf+"shortconv.in_proj", 3*t.Width, t.Width),
		vector(block+"conv", hf+"conv.conv", gguf+"shortconv.conv", t.Width*t.Kernel),
		matrix(block+"out", hf+"conv.out_proj", gguf+"shortconv.out_proj", t.Width, t.Width),
	}
}

// expert lists the tensors of an expert. GGUF files join those of a block to one of three dimensions.
func (t *Transformer) expert(layer, e int) (parts []Tensor) {
	name := fmt.Sprintf("block.%d.expert.%d", layer, e)
	for _, p := range []struct {
		name       string
		rows, cols int
	}{{"gate", t.FFN, t.Width}, {"up", t.FFN, t.Width}, {"down", t.Width, t.FFN}} {
		m := Tensor{
			Name: name + "." + p.name, Rows: p.rows, Cols: p.cols, Expert: name,
			HF:   fmt.Sprintf("model.layers.%d.mlp.experts.%d.%s_proj.weight", layer, e, p.name),
			GGUF: fmt.Sprintf("blk.%d.ffn_%s_exps.weight", layer, p.name), GGUFRow: e * p.rows,
		}
		if parts = append(parts, m); t.ExpertBias {
			bias := m.bias()
			bias.GGUFRow = e
			parts = append(parts, bias)
		}
	}
	return parts
}
