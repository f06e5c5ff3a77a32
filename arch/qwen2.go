package arch

// Qwen2 is the architecture of the dense Qwen2 and Qwen2.5 models: as Llama, with biases of queries, keys and values.
var Qwen2 = &Architecture{
	Name: "qwen2", Class: "Qwen2ForCausalLM", GGUF: "qwen2",
	Parse: parseQwen2,
}

func parseQwen2(v *Values) (*Model, error) {
	t := v.Transformer()
	t.QKVBias = true
	return t.Model()
}
