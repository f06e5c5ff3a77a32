package arch

// Qwen2VL and Qwen25VL are the architectures of Qwen2-VL and Qwen2.5-VL, for images and text, of which the part for text is a Qwen2.
var (
	Qwen2VL  = qwenVL("qwen2_vl", "Qwen2VLForConditionalGeneration", "qwen2vl", Qwen2)
	Qwen25VL = qwenVL("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", "", Qwen2)
)

// Qwen3VL is the architecture of the dense Qwen3-VL models, for images and text, of which the part for text is a Qwen3.
var Qwen3VL = qwenVL("qwen3_vl", "Qwen3VLForConditionalGeneration", "qwen3vl", Qwen3)

// qwenVL describes models with positions in images and time, whose part for text is as a model of its own.
func qwenVL(name, class, gguf string, of *Architecture) *Architecture {
	part := *of
	part.Name = name
	part.Parse = func(v *Values) (*Model, error) {
		v.textPositions()
		v.ask("vision_config") // which older files keep beside the keys of the text
		v.ask("deepstack_layers")
		return of.Parse(v)
	}
	a := TextPart(name, class, &part)
	a.GGUF = gguf
	a.GGUFKeys = map[string]string{"rope.dimension_sections": "mrope_section", "n_deepstack_layers": "deepstack_layers"}
	return a
}
