package arch

// Mistral is the architecture of the dense Mistral, Nemo and Ministral models: as Llama, and the first of them see a window of the text. GGUF
// files of them are Llama's.
var Mistral = &Architecture{Name: "mistral", Class: "MistralForCausalLM", Parse: parseMistral}

// Ministral is the architecture of Ministral models that list which layers have a window.
var Ministral = &Architecture{Name: "ministral", Class: "MinistralForCausalLM", Parse: parseMistral}

func parseMistral(v *Values) (*Model, error) {
	t := v.dense("")
	v.refusePartlyRotated(&t)
	v.windows(&t, 0)
	t.Interleaved = true
	return t.Model()
}
