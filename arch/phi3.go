package arch

// Phi3 is the architecture of Phi-3, Phi-3.5 and Phi-4-mini: as Llama, with a part of each head rotated, LongRoPE, and matrices that files keep together.
var Phi3 = &Architecture{
	Name: "phi3", Class: "Phi3ForCausalLM", GGUF: "phi3",
	GGUFKeys: map[string]string{"attention.sliding_window": "sliding_window"},
	Parse:    parsePhi3,
}

func parsePhi3(v *Values) (*Model, error) {
	t := v.Dense("")
	v.Windows(&t, 0)
	v.only("full_attn_mod", 1)
	m, err := t.Model()
	if err != nil {
		return nil, err
	}
	m.Fuse("self_attn.qkv_proj", "attn_qkv", "q", "k", "v")
	m.Fuse("mlp.gate_up_proj", "ffn_up", "gate", "up")
	return m, nil
}
