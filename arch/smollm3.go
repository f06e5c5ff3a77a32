package arch

import "fmt"

// SmolLM3 is the architecture of SmolLM3: as Llama, but some layers, every fourth if the configuration does not list them, have no rotary positions.
var SmolLM3 = &Architecture{
	Name: "smollm3", Class: "SmolLM3ForCausalLM", GGUF: "smollm3",
	Parse: parseSmolLM3,
}

func parseSmolLM3(v *Values) (*Model, error) {
	t := v.Transformer()
	t.Interleaved = true
	interval, rotary := 4, []int{}
	v.Int("no_rope_layer_interval", &interval)
	v.Decode("no_rope_layers", &rotary, "a list of 0 and 1")
	if v.err != nil || t.Validate() != nil {
		return t.Model()
	}
	if interval < 1 || len(rotary) != 0 && len(rotary) != t.Layers {
		return nil, fmt.Errorf("no_rope_layers has %d numbers for %d layers, and no_rope_layer_interval = %d", len(rotary), t.Layers, interval)
	}
	t.NoRotary = make([]bool, t.Layers)
	for i := range t.NoRotary {
		t.NoRotary[i] = (i+1)%interval == 0
		if len(rotary) > 0 {
			t.NoRotary[i] = rotary[i] == 0
		}
	}
	return t.Model()
}
