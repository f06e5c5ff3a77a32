package layers

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/lever-go/lever/tensor"
)

// ErrWiring is wrapped by the error of [NewDecoder] about parts that do not fit each other.
var ErrWiring = errors.New("parts do not fit")

// wiring is what the parts on a [Workspace] were built with, for [NewDecoder] to check: constructors return no errors, and a mistake would
// else show as a panic, or as wrong numbers, in some later pass.
type wiring struct {
	faults []fault
	caches []*KVCache // of the attentions
}

// fault says why a part cannot work.
type fault struct{ part, reason string }

// kind is the same for faults that differ in the numbers in the names of their parts alone, such as those of layers.
func (f fault) kind() fault {
	return fault{strings.Join(strings.FieldsFunc(f.part, unicode.IsDigit), "0"), f.reason}
}

// fault notes that a part cannot work.
func (w *wiring) fault(part, format string, args ...any) {
	w.faults = append(w.faults, fault{part, fmt.Sprintf(format, args...)})
}

// err returns the faults as one error, with a line for each kind; nil if there are none.
func (w *wiring) err() error {
	kinds := map[fault]int{}
	for _, f := range w.faults {
		kinds[f.kind()]++
	}
	var lines []string
	for _, f := range w.faults {
		switch more := kinds[f.kind()] - 1; {
		case more > 0:
			lines = append(lines, fmt.Sprintf("%s, and %d more such parts: %s", f.part, more, f.reason))
		case more == 0:
			lines = append(lines, f.part+": "+f.reason)
		}
		kinds[f.kind()] = 0
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrWiring, strings.Join(lines, "\n"))
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

// attention notes what is wrong with an attention, and reserves its layer of the cache.
func (w *wiring) attention(part string, c *AttentionConfig) bool {
	if !w.positive(part, c.Width, c.Heads, c.KVHeads, c.HeadDim) {
		return false
	}
	before := len(w.faults)
	if c.Heads%c.KVHeads != 0 {
		w.fault(part, "%d query heads are no multiple of %d key-value heads", c.Heads, c.KVHeads)
	}
	turned := c.RotaryDim
	if turned == 0 {
		turned = c.HeadDim
	}
	switch {
	case c.NoRotary && c.Rotary != nil:
		w.fault(part, "it has a Rotary and is said to have none")
	case c.NoRotary:
	case c.Rotary == nil:
		w.fault(part, "it has no Rotary, and NoRotary is not set")
	case c.Rotary.width() != turned || turned > c.HeadDim:
		w.fault(part, "a Rotary for %d elements where %d of the %d of a head are to be turned", c.Rotary.width(), turned, c.HeadDim)
	}
	if c.QKNorm < NoQKNorm || c.QKNorm > FullQKNorm {
		w.fault(part, "there is no QKNorm %d", c.QKNorm)
	}
	w.cache(part, c)
	return len(w.faults) == before
}

// cache notes what is wrong with the layer of the cache that an attention is to use, and reserves it.
func (w *wiring) cache(part string, c *AttentionConfig) {
	cache := c.Cache
	if cache == nil {
		w.fault(part, "it has no KVCache")
		return
	}
	if n := len(cache.config.Layers); c.Layer < 0 || c.Layer >= n {
		w.fault(part, "layer %d of a KVCache of %d layers", c.Layer, n)
		return
	}
	switch l := cache.config.Layers[c.Layer]; {
	case l.KVHeads != c.KVHeads || l.HeadDim != c.HeadDim:
		w.fault(part, "%d key-value heads of %d elements on a layer of a KVCache with %d of %d", c.KVHeads, c.HeadDim, l.KVHeads, l.HeadDim)
	case c.SharedKV && cache.taken[c.Layer] == "":
		w.fault(part, "no attention that was built earlier writes to layer %d of the KVCache", c.Layer)
	case c.SharedKV:
		w.caches = append(w.caches, cache)
	case cache.taken[c.Layer] != "":
		w.fault(part, "layer %d of the KVCache is that of %s", c.Layer, cache.taken[c.Layer])
	default:
		cache.taken[c.Layer] = part
		w.caches = append(w.caches, cache)
	}
}

// block notes what is wrong with a block.
func (w *wiring) block(part string, c *BlockConfig) {
	w.positive(part, c.Width)
	if c.NormPosition < NormBefore || c.NormPosition > NormAround {
		w.fault(part, "there is no NormPosition %d", c.NormPosition)
	}
	w.sublayer(part, "Mixer", c.Mixer, c.Width)
	w.sublayer(part, "MLP", c.MLP, c.Width)
}

// sublayer notes what is wrong with a sublayer of a block.
func (w *wiring) sublayer(part, what string, s Sublayer, width int) {
	if s == nil {
		w.fault(part, "it has no %s", what)
		return
	}
	if s, ok := s.(interface{ Width() int }); ok && s.Width() != width {
		w.fault(part, "rows of %d elements with a %s for %d", width, what, s.Width())
	}
}

// check returns what is wrong with the parts of m, as one error.
func (m *DecoderConfig) check() error {
	if m.Workspace == nil || m.Cache == nil || m.Embedding == nil || m.Norm == nil || m.Head == nil {
		return fmt.Errorf("%w: Workspace, Cache, Embedding, Norm and Head must all be set", ErrWiring)
	}
	ws := m.Workspace
	w := wiring{faults: ws.wiring.faults}
	w.positive("workspace", ws.maxRows)
	w.ends(m)
	for _, cache := range ws.wiring.caches {
		if cache != m.Cache {
			w.fault("model", "an attention uses another KVCache than the model's")
		}
	}
	for i, layer := range m.Layers {
		if layer == nil {
			w.fault(fmt.Sprintf("layer %d", i), "is nil")
		}
	}
	return w.err()
}

// ends notes what is wrong with what comes before and after the layers, as far as it is of this package.
func (w *wiring) ends(m *DecoderConfig) {
	ws, width := m.Workspace, m.Embedding.Width()
	embedding, ok := m.Embedding.(*Embedding)
	same := !ok || embedding.ws == ws
	normWidth, headWidth := width, width
	if norm, ok := m.Norm.(*Norm); ok {
		same, normWidth = same && norm.ws == ws, norm.Width()
	}
	if head, ok := m.Head.(*Linear); ok {
		same, headWidth = same && head.ws == ws, head.reader.cols
	}
	if !same {
		w.fault("model", "embedding, norm and head are not all built on its Workspace")
	}
	if width != normWidth || width != headWidth {
		w.fault("model", "rows of %d elements from the embedding, %d in the norm, %d in the head", width, normWidth, headWidth)
	}
}

// checkRows returns an error unless x holds n rows of width elements, and the workspace has room for them.
func (ws *Workspace) checkRows(part string, x []float32, n, width int) error {
	if n > ws.maxRows || len(x) != n*width {
		return fmt.Errorf("layers: %s: %d elements for %d rows of %d, in a workspace for %d rows", part, len(x), n, width, ws.maxRows)
	}
	return nil
}
