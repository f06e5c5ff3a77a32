package arch

import (
	"fmt"
	"strings"
)

// Granite is the architecture of the dense Granite 3 models: as Llama, with four multipliers.
var Granite = &Architecture{
	Name: "granite", Class: "GraniteForCausalLM", GGUF: "granite",
	GGUFKeys: map[string]string{
		"embedding_scale": "embedding_multiplier", "attention.scale": "attention_multiplier", "residual_scale": "residual_multiplier", "logit_scale": "logits_scaling",
	},
	Parse: parseGranite,
}

func parseGranite(v *Values) (*Model, error) {
	t := v.Transformer()
	v.multipliers(&t)
	return t.Model()
}

// GraniteHybrid is the architecture of Granite 4, of which the dense models without state space layers are Granites, too. GGUF files call them so.
var GraniteHybrid = &Architecture{
	Name: "granitemoehybrid", Class: "GraniteMoeHybridForCausalLM",
	Parse: parseGraniteHybrid,
}

func parseGraniteHybrid(v *Values) (*Model, error) {
	types := []string{}
	v.Decode("layer_types", &types, "a list of names")
	for i, kind := range types {
		if kind != "attention" {
			return nil, Unsupported("layer_types with %q for layer %d", kind, i)
		}
	}
	delete(v.values, "layer_types")
	experts := 0
	if v.Int("num_local_experts", &experts); experts != 0 {
		return nil, Unsupported("num_local_experts = %d", experts)
	}
	positions := "nope"
	if v.Text("position_embedding_type", &positions); positions != "rope" {
		return nil, Unsupported("position_embedding_type = %q", positions)
	}
	norm := "rmsnorm"
	if v.Text("normalization_function", &norm); norm != "rmsnorm" {
		return nil, Unsupported("normalization_function = %q", norm)
	}
	for _, key := range []string{"num_experts_per_tok", "mamba_chunk_size", "mamba_conv_bias", "mamba_d_conv", "mamba_d_head", "mamba_d_state", "mamba_expand", "mamba_n_groups", "mamba_n_heads",
		"mamba_proj_bias", "router_aux_loss_coef"} {
		v.Has(key) // of layers that there are none of
	}
	t := v.Transformer()
	v.Need("shared_intermediate_size", &t.FFN)
	v.multipliers(&t)
	m, err := t.Model()
	if err != nil {
		return nil, err
	}
	m.Fuse("shared_mlp.input_linear", "", "gate", "up")
	m.Rename("mlp.down_proj", "shared_mlp.output_linear")
	return m, nil
}

// GraniteMoE is the architecture of the sparse Granite 3 models: as Granite, with experts in place of the MLP of every block.
var GraniteMoE = &Architecture{
	Name: "granitemoe", Class: "GraniteMoeForCausalLM", GGUF: "granitemoe",
	GGUFKeys: map[string]string{
		"embedding_scale": "embedding_multiplier", "attention.scale": "attention_multiplier", "residual_scale": "residual_multiplier", "logit_scale": "logits_scaling",
		"expert_count": "num_local_experts", "expert_used_count": "num_experts_per_tok",
	},
	Parse: parseGraniteMoE,
}

func parseGraniteMoE(v *Values) (*Model, error) {
	t := v.Transformer()
	v.multipliers(&t)
	v.Need("num_local_experts", &t.Experts)
	v.Need("num_experts_per_tok", &t.Chosen)
	m, err := t.Model()
	if err != nil {
		return nil, err
	}
	m.joinExperts()
	m.Rename("mlp.gate.weight", "block_sparse_moe.router.layer.weight")
	return m, nil
}

// joinExperts names the tensors of experts as files of Granite do: one has gate and up of all experts of a block, one down.
func (m *Model) joinExperts() {
	for _, step := range m.Steps {
		rows := 0 // of gate and up
		for i := range step {
			t := &step[i]
			if t.Expert == "" {
				continue
			}
			block := "model.layers." + strings.Split(t.Name, ".")[1] + ".block_sparse_moe."
			if strings.HasSuffix(t.Name, ".down") {
				t.HF, t.HFRow = block+"output_linear.weight", t.GGUFRow
				continue
			}
			t.HF, t.HFRow = block+"input_linear.weight", rows
			rows += t.Rows
		}
	}
}

// multipliers reads the multipliers of Granite models, which are Llama's but for them.
func (v *Values) multipliers(t *Transformer) {
	t.Interleaved = true
	scaling := float32(1)
	t.EmbeddingScale, t.Scale, t.Residual = 1, 1, 1
	v.Float32("embedding_multiplier", &t.EmbeddingScale)
	v.Float32("attention_multiplier", &t.Scale)
	v.Float32("residual_multiplier", &t.Residual)
	v.Float32("logits_scaling", &scaling)
	for key, x := range map[string]float32{
		"embedding_multiplier": t.EmbeddingScale, "attention_multiplier": t.Scale, "residual_multiplier": t.Residual, "logits_scaling": scaling,
	} {
		if !(x > 0) {
			v.Fail(fmt.Errorf("%s = %v is not positive", key, x))
		}
	}
	t.HeadScale = 1 / scaling
}
