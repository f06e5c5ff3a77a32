package arch

// Llama is the architecture of Llama 3, 3.1 and 3.2 text models, and of others that use its class.
var Llama = &Architecture{
	Name: "llama", Class: "LlamaForCausalLM", GGUF: "llama",
	Parse: parseLlama,
}

func parseLlama(v *Values) (*Model, error) {
	t := v.Transformer()
	t.Interleaved = true
	return t.Model()
}
