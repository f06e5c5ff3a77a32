package arch

// Mistral is the architecture of the dense Mistral, Nemo and Ministral models: as Llama, and the first of them see a window of the text. GGUF
// files of them are Llama's.
var Mistral = &Architecture{Name: "mistral", Class: "MistralForCausalLM", Parse: parseMistral}

// Ministral is the architecture of Ministral models that list which layers have a window.
var Ministral = &Architecture{Name: "ministral", Class: "MinistralForCausalLM", Parse: parseMistral}

// Ministral3 is the architecture of the part for text of Ministral 3, with YaRN and queries that grow with the position. GGUF files of Mistral Small
// are called so, too.
var Ministral3 = &Architecture{
	Name: "ministral3", Class: "Ministral3ForCausalLM", GGUF: "mistral3",
	GGUFKeys: map[string]string{"attention.temperature_scale": longBeta},
	Parse:    parseMinistral3,
}

// Mistral3 is the architecture of Mistral Small 3.1 and 3.2 and of Ministral 3, which are for images and text.
var Mistral3 = TextPart("mistral3", "Mistral3ForConditionalGeneration", Mistral, Ministral3)

const longBeta = "llama_4_scaling_beta"

func parseMinistral3(v *Values) (*Model, error) {
	for key, value := range map[string]any{
		"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 34, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
		"vocab_size": 131072, "max_position_embeddings": 262144, "rms_norm_eps": 1e-5,
	} {
		v.Default(key, value)
	}
	if !v.Has("rope_parameters") && !v.Has("rope_scaling") && !v.Has("rope_theta") {
		v.Default("rope_parameters", map[string]any{
			"rope_type": "yarn", "rope_theta": 1e6, "factor": 16, "original_max_position_embeddings": 16384, "mscale": 1, "mscale_all_dim": 1, longBeta: 0.1,
		})
	}
	v.editRope(func(rope map[string]any) {
		if beta, ok := rope[longBeta]; ok {
			v.Default(longBeta, beta)
		}
		delete(rope, longBeta)
		delete(rope, "max_position_embeddings")
	})
	t := v.Dense("")
	v.refusePartlyRotated(&t)
	v.Windows(&t, 0)
	v.Float(longBeta, &t.LongBeta)
	t.Interleaved = true
	return t.Model()
}

func parseMistral(v *Values) (*Model, error) {
	for key, value := range map[string]any{
		"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
		"max_position_embeddings": 131072, "sliding_window": 4096,
	} {
		v.Default(key, value) // a part of a larger configuration leaves out what is as usual
	}
	t := v.Dense("")
	v.refusePartlyRotated(&t)
	v.Windows(&t, 0)
	t.Interleaved = true
	return t.Model()
}
