package arch

import (
	"fmt"

	"github.com/lever-go/lever/internal/fileerr"
)

// Names of kinds of layers in layer_types.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// layerTypes returns the kinds of the layers, nil if they are not listed.
func (v *Values) layerTypes(layers int) []string {
	var types []string
	v.Decode("layer_types", &types, "a list of names")
	if len(types) != 0 && len(types) != layers && v.err == nil {
		v.Fail(fmt.Errorf("layer_types has %d names for %d layers", len(types), layers))
	}
	return types
}

// layerKinds names the kinds of layers of which some have a window.
func layerKinds(sliding []bool) []string {
	kinds := make([]string, len(sliding))
	for i, s := range sliding {
		if kinds[i] = fullAttention; s {
			kinds[i] = slidingAttention
		}
	}
	return kinds
}

// Windows reads which layers see a window of the text alone, and how long it is: those that layer_types lists, or else all but every pattern-th, or
// all if pattern is 0. A window of all positions is none.
func (v *Values) Windows(t *Transformer, pattern int) {
	window, uses := 0, true
	v.Int("sliding_window", &window)
	v.Bool("use_sliding_window", &uses)
	types := v.layerTypes(t.Layers)
	if v.err != nil || t.Layers < 1 || t.Layers > maxLayers {
		return // which Validate reports
	}
	if pattern < 0 || window < 0 {
		v.Fail(fmt.Errorf("sliding_window = %d in all layers but every %d", window, pattern))
		return
	}
	of, some := make([]int, t.Layers), false
	for i := range of {
		sliding := pattern == 0 || (i+1)%pattern != 0
		if types != nil {
			if types[i] != fullAttention && types[i] != slidingAttention {
				v.Fail(Unsupported("layer_types with %s", fileerr.Quote(types[i])))
				return
			}
			if sliding = types[i] == slidingAttention; sliding && window == 0 {
				v.Fail(fmt.Errorf("layer_types has %s, but sliding_window is missing", slidingAttention))
				return
			}
		}
		if sliding && window > 0 && window < t.MaxPositions && uses {
			of[i], some = window, true
		}
	}
	if some {
		t.Windows = of
	}
}

// fullAttention refuses models of which some rows attend only to a window of others.
func (v *Values) fullAttention() {
	var types []string
	v.Decode("layer_types", &types, "a list of names")
	for _, t := range types {
		if t != fullAttention {
			v.Fail(Unsupported("layer_types with %s", fileerr.Quote(t)))
		}
	}
	useWindow := v.Has("sliding_window")
	v.Bool("use_sliding_window", &useWindow)
	if !useWindow {
		return
	}
	key := "sliding_window"
	if !v.Has(key) {
		key = "use_sliding_window"
	}
	v.Fail(Unsupported("%s = %s", key, v.show(key)))
}
