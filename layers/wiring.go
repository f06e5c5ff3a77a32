package layers

import (
	"errors"
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// ErrWiring is wrapped by the error of [Assemble] about parts that do not fit each other.
var ErrWiring = errors.New("parts do not fit")

// wiring is what the parts on a [Workspace] were built with, for [Assemble] to check: constructors return no errors, and a mistake would
// else show as a panic, or as wrong numbers, in some later pass.
type wiring struct {
	faults []error
	caches []*KVCache // of the attentions
}

// fault notes that a part cannot work.
func (w *wiring) fault(part, format string, args ...any) {
	w.faults = append(w.faults, fmt.Errorf("%s: "+format, append([]any{part}, args...)...))
}

// positive notes a fault unless all of the sizes are.
func (w *wiring) positive(part string, sizes ...int) bool {
	for _, n := range sizes {
		if n < 1 {
			w.fault(part, "a size of %d; all of %v must be positive", n, sizes)
			return false
		}
	}
	return true
}

// tensor notes a fault unless the weights, if they can tell, hold a tensor of that name that a layer can use: a matrix of at least rows rows,
// or a vector.
func (w *wiring) tensor(weights Weights, name string, rows, cols int, vector bool) {
	shaper, ok := weights.(Shaper)
	if !ok {
		return
	}
	d, gotRows, gotCols, ok := shaper.Shape(name)
	switch isVector := d == tensor.F32 && gotRows == 1; {
	case !ok:
		w.fault(name, "the weights hold no tensor of that name")
	case gotCols != cols || gotRows < rows || vector != isVector || !vector && !tensor.Packable(d):
		w.fault(name, "the weights hold %v [%d %d] where [%d %d] belongs, %s", d, gotRows, gotCols, rows, cols, map[bool]string{true: "a vector of f32", false: "a matrix"}[vector])
	}
}

// attention notes what is wrong with an attention on a layer of a cache.
func (w *wiring) attention(part string, c AttentionConfig, rotary *Rotary, cache *KVCache, layer int) bool {
	if !w.positive(part, c.Width, c.Heads, c.KVHeads, c.HeadDim) {
		return false
	}
	before := len(w.faults)
	if c.Heads%c.KVHeads != 0 {
		w.fault(part, "%d query heads are no multiple of %d key-value heads", c.Heads, c.KVHeads)
	}
	switch {
	case rotary == nil:
		w.fault(part, "it has no Rotary")
	case rotary.headDim != c.HeadDim:
		w.fault(part, "heads of %d elements with a Rotary for heads of %d", c.HeadDim, rotary.headDim)
	}
	switch {
	case cache == nil:
		w.fault(part, "it has no KVCache")
	case cache.config.KVHeads != c.KVHeads || cache.config.HeadDim != c.HeadDim:
		w.fault(part, "%d key-value heads of %d elements on a KVCache of %d of %d", c.KVHeads, c.HeadDim, cache.config.KVHeads, cache.config.HeadDim)
	case layer < 0 || layer >= cache.config.Layers:
		w.fault(part, "layer %d of a KVCache of %d layers", layer, cache.config.Layers)
	case cache.taken[layer] != "":
		w.fault(part, "layer %d of the KVCache is that of %s", layer, cache.taken[layer])
	default:
		cache.taken[layer] = part
		w.caches = append(w.caches, cache)
	}
	return len(w.faults) == before
}

// check returns what is wrong with the parts of m, as one error.
func (m *Model) check() error {
	if m.Workspace == nil || m.Cache == nil || m.Embedding == nil || m.Norm == nil || m.Head == nil {
		return fmt.Errorf("%w: Workspace, Cache, Embedding, Norm and Head must all be set", ErrWiring)
	}
	ws := m.Workspace
	w := wiring{faults: ws.wiring.faults}
	w.positive("workspace", ws.maxRows)
	if m.Embedding.ws != ws || m.Norm.ws != ws || m.Head.ws != ws {
		w.fault("model", "embedding, norm and head are not all built on its Workspace")
	}
	for _, cache := range ws.wiring.caches {
		if cache != m.Cache {
			w.fault("model", "an attention uses another KVCache than the model's")
		}
	}
	if width := m.Embedding.width; width != len(m.Norm.gain) || width != m.Head.reader.cols {
		w.fault("model", "rows of %d elements from the embedding, %d in the norm, %d in the head", width, len(m.Norm.gain), m.Head.reader.cols)
	}
	for i, layer := range m.Layers {
		if layer == nil {
			w.fault(fmt.Sprintf("layer %d", i), "is nil")
		}
	}
	if len(w.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrWiring, errors.Join(w.faults...))
}

// checkRows returns an error unless x holds n rows of width elements, and the workspace has room for them.
func (ws *Workspace) checkRows(part string, x []float32, n, width int) error {
	if n > ws.maxRows || len(x) != n*width {
		return fmt.Errorf("layers: %s: %d elements for %d rows of %d, in a workspace for %d rows", part, len(x), n, width, ws.maxRows)
	}
	return nil
}
