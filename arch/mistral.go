package arch

// Mistral is the architecture of the dense Mistral, Nemo and Ministral models: as Llama, and the first of them see a window of the text. GGUF
// files of them are Llama's.
var Mistral = &Architecture{Name: "mistral", Class: "MistralForCausalLM", Parse: parseMistral}

// Ministral is the architecture of Ministral models that list which layers have a window.
var Ministral = &Architecture{Name: "ministral", Class: "MinistralForCausalLM", Parse: parseMistral}

// Mistral3 is the architecture of Mistral Small 3.1 and 3.2, which are for images and text.
var Mistral3 = textPart("mistral3", "Mistral3ForConditionalGeneration", Mistral)

func parseMistral(v *Values) (*Model, error) {
	for key, value := range map[string]any{
		"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
		"max_position_embeddings": 131072, "sliding_window": 4096,
	} {
		v.absent(key, value) // a part of a larger configuration leaves out what is as usual
	}
	t := v.dense("")
	v.refusePartlyRotated(&t)
	v.windows(&t, 0)
	t.Interleaved = true
	return t.Model()
}
