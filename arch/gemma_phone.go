package arch

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
)

// What Gemma 3n and Gemma 4 have in common: layers whose inputs are looked up in a table, and keys and values that the last layers share.

// Names of what layers get of a token.
const (
	layerInputs = "layer_inputs"
	inputTable  = layerInputs + ".table"
)

// inputTensors lists those by which the inputs of all layers, of so many elements together and dim each, are computed once.
func inputTensors(all, width, dim int) []Tensor {
	return []Tensor{
		matrix(layerInputs+".proj", "model.per_layer_model_projection", "per_layer_model_proj", all, width),
		vector(layerInputs+".norm", "model.per_layer_projection_norm", "per_layer_proj_norm", dim),
	}
}

// gateTensors lists those by which a layer uses its input.
func gateTensors(layer, width, dim int) []Tensor {
	block, hf, gguf := fmt.Sprintf("block.%d.", layer), fmt.Sprintf("model.layers.%d.", layer), fmt.Sprintf("blk.%d.", layer)
	return []Tensor{
		matrix(block+"input_gate", hf+"per_layer_input_gate", gguf+"inp_gate", dim, width),
		matrix(block+"input_proj", hf+"per_layer_projection", gguf+"proj", width, dim),
		vector(block+"input_norm", hf+"post_per_layer_input_norm", gguf+"post_norm", width),
	}
}

// isKeyOrValue reports whether a layer that shares the keys and values of another one does without a tensor.
func isKeyOrValue(t Tensor) bool {
	return strings.HasSuffix(t.Name, ".k") || strings.HasSuffix(t.Name, ".v") || strings.HasSuffix(t.Name, ".k_norm")
}

// globalLayers reads which layers have no window, those that layer_types lists, or else every pattern-th, and the windows of the others.
func (v *Values) globalLayers(layers, pattern int) (global []bool, windows []int) {
	window := 0
	v.Need("sliding_window", &window)
	types := v.layerTypes(layers)
	if v.err != nil || layers < 1 || layers > maxLayers {
		return nil, nil // which Validate reports
	}
	if window < 1 {
		v.Fail(fmt.Errorf("sliding_window = %d", window))
		return nil, nil
	}
	global, windows = make([]bool, layers), make([]int, layers)
	for i := range global {
		global[i] = (i+1)%pattern == 0
		if types != nil {
			global[i] = types[i] == fullAttention
		}
		if types != nil && types[i] != fullAttention && types[i] != slidingAttention {
			v.Fail(Unsupported("layer_types with %s", fileerr.Quote(types[i])))
		}
		if !global[i] {
			windows[i] = window
		}
	}
	return global, windows
}

// writerOf returns the layer whose keys and values layer i uses: itself, or, if it is one of the last that share, the last before them of its kind.
func writerOf(global []bool, sharing, i int) int {
	last := len(global) - sharing - 1
	if i <= last {
		return i
	}
	for last >= 0 && global[last] != global[i] {
		last--
	}
	return last
}
