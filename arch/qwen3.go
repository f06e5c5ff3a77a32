package arch

// Qwen3 is the architecture of the dense Qwen3 models: as Llama, with queries and keys normalised per head.
var Qwen3 = &Architecture{
	Name: "qwen3", Class: "Qwen3ForCausalLM", GGUF: "qwen3",
	Parse: parseQwen3,
}

func parseQwen3(v *Values) (*Model, error) {
	t := v.Transformer()
	t.QKNorm = true
	return t.Model()
}
