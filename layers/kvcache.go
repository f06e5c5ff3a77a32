package layers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// ErrNotKept is wrapped by the error about a text that can't be shortened because what is before its new end has been given up: keys and values
// behind a window, or what else layers keep of the last rows alone. Nothing has changed then. A text can always be emptied.
var ErrNotKept = errors.New("what is before is no longer kept")

// ErrContextFull is wrapped by the error about a token whose position lies beyond the context. Nothing has changed then.
var ErrContextFull = errors.New("context full")

// kvPageLen is the number of slots by which a cache grows.
const kvPageLen = 256

// KVConfig describes a [KVCache].
type KVConfig struct {
	Layers  []KVLayer    // may be empty: the cache then keeps track of text and tree alone
	Context int          // positions
	Type    tensor.DType // of values: F16, F32, Q8_0 or Q4_0; the zero value means F16. Heads of the last two have a multiple of 32 elements
}

// Keys returns the type of the keys: that of the values, but beside values in Q4_0 it is Q8_0.
func (c KVConfig) Keys() tensor.DType {
	if c.Type == tensor.Q4_0 {
		return tensor.Q8_0
	}
	return c.Type
}

// bytes returns the memory of n elements of keys and n of values.
func (c KVConfig) bytes(n int) int64 { return int64(c.Keys().RowBytes(n) + c.Type.RowBytes(n)) }

// KVLayer describes the keys and values of one layer.
type KVLayer struct {
	KVHeads int // heads of a row
	HeadDim int // elements of a head
	Window  int // positions that a row sees, its own included; 0 means all. Pages that no later row sees are given up
}

// first returns the first position that the row at the given position, and so every later row, sees.
func (l KVLayer) first(position int) int {
	if l.Window == 0 {
		return 0
	}
	return max(position-l.Window+1, 0)
}

// UniformKV returns the description of n equal layers.
func UniformKV(n int, l KVLayer) []KVLayer { return slices.Repeat([]KVLayer{l}, max(n, 0)) }

// KVCache keeps the keys and values of each layer, and the tree of the rows that are not yet part of the text.
//
// A row has one slot in all layers. The committed rows, which are the text, fill slots 0 … Len−1 in order. Pending rows follow in the
// order of their Append and form a tree: a row sees all committed rows, its ancestors among the pending ones, and itself, and
// stands at position Len + number of pending ancestors. Commit moves the rows of one path down to continue the text and drops the rest.
//
// Memory is taken in pages of 256 slots as slots are used, and given up when rows are committed where a window has left them behind. A KVCache is
// not safe for concurrent use, except that Put may run concurrently for different slots.
type KVCache struct {
	config    KVConfig
	layers    []kernels.KV
	taken     []string // the part that writes to each layer, for the wiring check
	pages     int      // per layer, those given up included
	gone      []int    // pages of each layer that a window has left behind, from the first on
	shared    int      // pages, from the first on, that other caches may hold too: they are full and are not written
	committed int
	pending   []pendingRow
}

// pendingRow is a node of the tree of pending rows.
type pendingRow struct {
	parent  int // pending row, or −1
	depth   int // pending ancestors
	dropped bool
}

// NewKVCache returns an empty cache.
func NewKVCache(config KVConfig) (*KVCache, error) {
	if config.Type == tensor.Invalid {
		config.Type = tensor.F16
	}
	if !slices.Contains([]tensor.DType{tensor.F16, tensor.F32, tensor.Q8_0, tensor.Q4_0}, config.Type) {
		return nil, fmt.Errorf("layers: KV cache: %w: keys and values of type %v", ErrUnsupported, config.Type)
	}
	if config.Context < 1 {
		return nil, fmt.Errorf("layers: KV cache: %d positions", config.Context)
	}
	config.Layers = slices.Clone(config.Layers)
	c := &KVCache{config: config, taken: make([]string, len(config.Layers)), gone: make([]int, len(config.Layers))}
	for i, l := range config.Layers {
		if l.KVHeads < 1 || l.HeadDim < 1 || l.Window < 0 {
			return nil, fmt.Errorf("layers: KV cache: layer %d: %d heads of %d, a window of %d", i, l.KVHeads, l.HeadDim, l.Window)
		}
		if block := config.Type.BlockElems(); l.HeadDim%block != 0 {
			return nil, fmt.Errorf("layers: KV cache: layer %d: %w: heads of %d elements in %v, which takes a multiple of %d; use F16", i,
				ErrUnsupported, l.HeadDim, config.Type, block)
		}
		c.layers = append(c.layers, kernels.KV{HeadDim: l.HeadDim, KVHeads: l.KVHeads, PageLen: kvPageLen})
	}
	return c, nil
}

// Len returns the number of committed rows.
func (c *KVCache) Len() int { return c.committed }

// Pending returns the number of pending rows, dropped ones included.
func (c *KVCache) Pending() int { return len(c.pending) }

// Context returns the number of positions that the cache may hold.
func (c *KVCache) Context() int { return c.config.Context }

// Bytes returns the memory that keys and values take now.
func (c *KVCache) Bytes() int64 {
	elems := 0
	for i, l := range c.config.Layers {
		elems += (c.pages - c.gone[i]) * kvPageLen * l.KVHeads * l.HeadDim
	}
	return c.config.bytes(elems)
}

// fork returns a cache of the same text, which shares full pages with c.
func (c *KVCache) fork() *KVCache {
	f := &KVCache{config: c.config, layers: slices.Clone(c.layers), gone: slices.Clone(c.gone), pages: pagesOf(c.committed), committed: c.committed}
	f.shared = c.committed / kvPageLen
	c.shared = max(c.shared, f.shared)
	for i := range f.layers {
		forkKV(&f.layers[i], f.pages, f.shared)
	}
	return f
}

// forkKV keeps the first n pages of a layer: the same up to shared, then copies.
func forkKV(kv *kernels.KV, n, shared int) {
	kv.K, kv.V = forkPages(kv.K, n, shared), forkPages(kv.V, n, shared)
	kv.K32, kv.V32 = forkPages(kv.K32, n, shared), forkPages(kv.V32, n, shared)
	kv.K8, kv.V8, kv.V4 = forkPages(kv.K8, n, shared), forkPages(kv.V8, n, shared), forkPages(kv.V4, n, shared)
	kv.KScales, kv.VScales = forkPages(kv.KScales, n, shared), forkPages(kv.VScales, n, shared)
}

// forkPages returns the first n pages: the same up to shared, then copies.
func forkPages[T any](pages [][]T, n, shared int) [][]T {
	if pages == nil {
		return nil
	}
	pages = slices.Clone(pages[:n])
	for i := shared; i < n; i++ {
		pages[i] = slices.Clone(pages[i])
	}
	return pages
}

// pagesOf returns the number of pages of n slots.
func pagesOf(n int) int { return (n + kvPageLen - 1) / kvPageLen }

// MaxBytes returns the memory that keys and values take when the text is as long as the context, pending rows left out.
func (c *KVCache) MaxBytes() int64 {
	elems := 0
	for _, l := range c.config.Layers {
		pages := pagesOf(c.config.Context)
		if l.Window > 0 {
			pages = min(pages, pagesOf(l.Window-1)+1)
		}
		elems += pages * kvPageLen * l.KVHeads * l.HeadDim
	}
	return c.config.bytes(elems)
}

// Append adds n pending rows and returns the index of the first among the pending rows. parents[i] is the parent of the i-th:
// the index of an earlier pending row, or −1 for the last committed row. Nil parents are a chain that continues the last
// pending row. After an error, which wraps [ErrContextFull] where a position lies outside the context, nothing has changed.
func (c *KVCache) Append(n int, parents []int32) (first int, err error) {
	if parents != nil && len(parents) != n {
		return 0, fmt.Errorf("layers: %d parents for %d rows", len(parents), n)
	}
	first = len(c.pending)
	for i := range n {
		parent := first + i - 1
		if parents != nil {
			parent = int(parents[i])
		}
		row, err := c.child(parent)
		if err != nil {
			c.pending = c.pending[:first]
			return 0, fmt.Errorf("layers: row %d: %w", i, err)
		}
		c.pending = append(c.pending, row)
	}
	c.grow(c.committed + len(c.pending))
	return first, nil
}

// child returns the row that would be the next pending row under parent.
func (c *KVCache) child(parent int) (pendingRow, error) {
	if parent < -1 || parent >= len(c.pending) {
		return pendingRow{}, fmt.Errorf("its parent %d is neither −1 nor one of the %d pending rows before it", parent, len(c.pending))
	}
	row := pendingRow{parent: parent}
	if parent >= 0 {
		if c.pending[parent].dropped {
			return pendingRow{}, fmt.Errorf("its parent %d was dropped", parent)
		}
		row.depth = c.pending[parent].depth + 1
	}
	if c.committed+row.depth >= c.config.Context {
		return pendingRow{}, fmt.Errorf("position %d: %w: it holds %d", c.committed+row.depth, ErrContextFull, c.config.Context)
	}
	return row, nil
}

// grow makes slots below n usable in all layers.
func (c *KVCache) grow(n int) {
	for ; c.pages*kvPageLen < n; c.pages++ {
		for i := range c.layers {
			// Pages are left behind already where a state is read.
			c.addPage(&c.layers[i], c.pages < c.config.Layers[i].first(c.committed)/kvPageLen)
		}
	}
}

// addPage adds a page to a layer, without memory if it is left behind.
func (c *KVCache) addPage(kv *kernels.KV, behind bool) {
	elems := kv.KVHeads * kvPageLen * kv.HeadDim
	if behind {
		elems = 0
	}
	switch c.config.Type {
	case tensor.F32:
		kv.K32, kv.V32 = append(kv.K32, newPage[float32](elems)), append(kv.V32, newPage[float32](elems))
	case tensor.Q8_0, tensor.Q4_0:
		scales := elems / c.config.Type.BlockElems()
		if kv.K8 = append(kv.K8, newPage[int8](elems)); c.config.Type == tensor.Q8_0 {
			kv.V8 = append(kv.V8, newPage[uint8](elems))
		} else {
			kv.V4 = append(kv.V4, newPage[uint8](elems/2))
		}
		kv.KScales, kv.VScales = append(kv.KScales, newPage[uint16](scales)), append(kv.VScales, newPage[uint16](scales))
	default:
		kv.K, kv.V = append(kv.K, newPage[uint16](elems)), append(kv.V, newPage[uint16](elems))
	}
}

// newPage returns a page of n elements, or nil.
func newPage[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

// leave gives up the pages of each layer that no row sees any more.
func (c *KVCache) leave() {
	for i := range c.layers {
		kv := &c.layers[i]
		for first := c.config.Layers[i].first(c.committed) / kvPageLen; c.gone[i] < first; c.gone[i]++ {
			page := c.gone[i]
			leavePage(page, kv.K, kv.V, kv.KScales, kv.VScales)
			leavePage(page, kv.K32, kv.V32)
			leavePage(page, kv.K8)
			leavePage(page, kv.V8, kv.V4)
		}
	}
}

// leavePage gives up a page of each that has pages.
func leavePage[T any](page int, each ...[][]T) {
	for _, pages := range each {
		if pages != nil {
			pages[page] = nil
		}
	}
}

// keeps returns an error unless all that rows from position n on see is kept.
func (c *KVCache) keeps(n int) error {
	if n == 0 {
		return nil
	}
	for i, l := range c.config.Layers {
		if first := l.first(n); first/kvPageLen < c.gone[i] {
			return fmt.Errorf("layers: truncate to %d of %d rows: %w: the window of layer %d needs keys and values from row %d on", n, c.committed, ErrNotKept, i, first)
		}
	}
	return nil
}

// Slot returns the slot of a pending row.
func (c *KVCache) Slot(row int) int { return c.committed + row }

// Parent returns the parent of a pending row among the pending rows, or −1 for the last committed row.
func (c *KVCache) Parent(row int) int { return c.pending[row].parent }

// Position returns the position of a pending row.
func (c *KVCache) Position(row int) int { return c.committed + c.pending[row].depth }

// Visible returns the keys that a pending row sees, itself included, in the order of their positions. Slots that do not
// follow the committed ones without a gap are appended to path, which is returned extended and holds the result's Path.
func (c *KVCache) Visible(row int, path []int32) (kernels.Visible, []int32) {
	start := len(path)
	// A row with as many ancestors as rows before it descends from all of them.
	for row >= 0 && c.pending[row].depth != row {
		path = append(path, int32(c.Slot(row)))
		row = c.pending[row].parent
	}
	own := path[start:]
	for i, j := 0, len(own)-1; i < j; i, j = i+1, j-1 {
		own[i], own[j] = own[j], own[i]
	}
	return kernels.Visible{Prefix: c.Slot(row) + 1, Path: own}, path
}

// KV returns the keys and values of a layer as kernels take them. It is valid until the next Append, Commit or Truncate.
func (c *KVCache) KV(layer int) *kernels.KV { return &c.layers[layer] }

// Put stores the key and the value, each [KVHeads][HeadDim], of one slot of a layer.
func (c *KVCache) Put(layer, slot int, key, value []float32) {
	kv := &c.layers[layer]
	page, dim := slot/kvPageLen, kv.HeadDim
	for h := range kv.KVHeads {
		at := (h*kvPageLen + slot%kvPageLen) * dim
		k, v := key[h*dim:(h+1)*dim], value[h*dim:(h+1)*dim]
		switch c.config.Type {
		case tensor.F32:
			copy(kv.K32[page][at:], k)
			copy(kv.V32[page][at:], v)
		case tensor.Q8_0, tensor.Q4_0:
			putBlocks(kv, page, at, scaleAt(kv, h, slot), k, v)
		default:
			kernels.Default().F32ToF16(kv.K[page][at:at+dim], k)
			kernels.Default().F32ToF16(kv.V[page][at:at+dim], v)
		}
	}
}

// scaleAt returns the index in its page of the first scale of a head of a slot; those of further blocks follow kvPageLen apart.
func scaleAt(kv *kernels.KV, head, slot int) int {
	return head*kv.HeadDim/tensor.Q8_0.BlockElems()*kvPageLen + slot%kvPageLen
}

// putBlocks quantises a head of a key and of a value, whose elements begin at index at and whose scales at index scale of a page.
func putBlocks(kv *kernels.KV, page, at, scale int, key, value []float32) {
	block := tensor.Q8_0.BlockElems()
	for i := 0; i < len(key); i += block {
		kv.KScales[page][scale] = kernels.QuantizeBlock(kv.K8[page][at+i:], key[i:])
		if kv.V4 != nil {
			kv.VScales[page][scale] = kernels.QuantizeNibbles(kv.V4[page][(at+i)/2:], value[i:])
		} else {
			var q [32]int8
			kv.VScales[page][scale] = kernels.QuantizeBlock(q[:], value[i:])
			for j, b := range q {
				kv.V8[page][at+i+j] = uint8(b) + 128
			}
		}
		scale += kvPageLen
	}
}

// Get writes the key and the value of one slot of a layer, as the cache keeps them, to key and value, each [KVHeads][HeadDim]. The slot must
// not lie behind the layer's window.
func (c *KVCache) Get(layer, slot int, key, value []float32) {
	kv := &c.layers[layer]
	page, dim := slot/kvPageLen, kv.HeadDim
	for h := range kv.KVHeads {
		at := (h*kvPageLen + slot%kvPageLen) * dim
		k, v := key[h*dim:(h+1)*dim], value[h*dim:(h+1)*dim]
		switch c.config.Type {
		case tensor.F32:
			copy(k, kv.K32[page][at:])
			copy(v, kv.V32[page][at:])
		case tensor.Q8_0, tensor.Q4_0:
			scale := scaleAt(kv, h, slot)
			for i := range k {
				from := scale + i/tensor.Q8_0.BlockElems()*kvPageLen
				k[i] = tensor.F16ToF32(kv.KScales[page][from]) * float32(kv.K8[page][at+i])
				if kv.V4 != nil {
					v[i] = float32(kernels.Nibble(kv.V4[page], at+i)) - 8
				} else {
					v[i] = float32(kv.V8[page][at+i]) - 128
				}
				v[i] *= tensor.F16ToF32(kv.VScales[page][from])
			}
		default:
			kernels.Default().F16ToF32(k, kv.K[page][at:at+dim])
			kernels.Default().F16ToF32(v, kv.V[page][at:at+dim])
		}
	}
}

// Drop marks a pending row as one that later layers know nothing of. It can have no further children and can't be committed.
func (c *KVCache) Drop(row int) { c.pending[row].dropped = true }

// Dropped reports whether a pending row was dropped.
func (c *KVCache) Dropped(row int) bool { return c.pending[row].dropped }

// inheritDrop drops a pending row whose parent was dropped, and reports whether the row is dropped.
func (c *KVCache) inheritDrop(row int) bool {
	r := &c.pending[row]
	if r.parent >= 0 && c.pending[r.parent].dropped {
		r.dropped = true
	}
	return r.dropped
}

// Commit appends the pending rows of path, which leads from a child of the last committed row down the tree, to the text, and
// drops all other pending rows. An empty path drops them all. After an error nothing has changed.
func (c *KVCache) Commit(path []int) error {
	last := -1
	for i, row := range path {
		switch {
		case row < 0 || row >= len(c.pending):
			return fmt.Errorf("layers: commit: row %d is not one of %d pending rows", row, len(c.pending))
		case c.pending[row].parent != last:
			return fmt.Errorf("layers: commit: step %d of the path: the parent of row %d is %d, not %d", i, row, c.pending[row].parent, last)
		case c.pending[row].dropped:
			return fmt.Errorf("layers: commit: row %d was dropped", row)
		}
		last = row
	}
	// A row's index is at least its depth, so rows move down, and a row is never overwritten before it has moved.
	for i, row := range path {
		if row != i {
			c.move(c.Slot(i), c.Slot(row))
		}
	}
	c.committed += len(path)
	c.pending = c.pending[:0]
	c.leave()
	return nil
}

// move copies the keys and values of slot src to slot dst in all layers.
func (c *KVCache) move(dst, src int) {
	for i := range c.layers {
		kv := &c.layers[i]
		blocks := kv.KVHeads * kv.HeadDim / tensor.Q8_0.BlockElems()
		moveSlot(kv.K, kv.KVHeads, kv.HeadDim, dst, src)
		moveSlot(kv.V, kv.KVHeads, kv.HeadDim, dst, src)
		moveSlot(kv.K32, kv.KVHeads, kv.HeadDim, dst, src)
		moveSlot(kv.V32, kv.KVHeads, kv.HeadDim, dst, src)
		moveSlot(kv.K8, kv.KVHeads, kv.HeadDim, dst, src)
		moveSlot(kv.V8, kv.KVHeads, kv.HeadDim, dst, src)
		moveSlot(kv.V4, kv.KVHeads, kv.HeadDim/2, dst, src)
		moveSlot(kv.KScales, blocks, 1, dst, src)
		moveSlot(kv.VScales, blocks, 1, dst, src)
	}
}

// moveSlot copies slot src to slot dst in pages [n][kvPageLen][dim], if there are any.
func moveSlot[T any](pages [][]T, n, dim, dst, src int) {
	if pages == nil {
		return
	}
	for h := range n {
		to := (h*kvPageLen + dst%kvPageLen) * dim
		from := (h*kvPageLen + src%kvPageLen) * dim
		copy(pages[dst/kvPageLen][to:to+dim], pages[src/kvPageLen][from:from+dim])
	}
}

// Rollback keeps the first n pending rows and drops the others, at no cost.
func (c *KVCache) Rollback(n int) error {
	if n < 0 || n > len(c.pending) {
		return fmt.Errorf("layers: rollback to %d of %d pending rows", n, len(c.pending))
	}
	c.pending = c.pending[:n]
	return nil
}

// Truncate shortens the text to its first n rows, drops all pending rows, and gives up the pages that are no longer used. If a window has left
// behind what rows at position n see, it fails with an error that wraps [ErrNotKept], and nothing has changed; n = 0 and n = Len never do.
func (c *KVCache) Truncate(n int) error {
	if n < 0 || n > c.committed {
		return fmt.Errorf("layers: truncate to %d of %d rows", n, c.committed)
	}
	if err := c.keeps(n); err != nil {
		return err
	}
	c.committed, c.pending = n, c.pending[:0]
	c.release(pagesOf(n))
	if full := n / kvPageLen; c.shared > full { // rows to come are written to the page after them
		for i := range c.layers {
			forkKV(&c.layers[i], c.pages, full)
		}
		c.shared = full
	}
	return nil
}

// release gives up all but the first pages pages of each layer.
func (c *KVCache) release(pages int) {
	c.pages = min(c.pages, pages)
	for i := range c.layers {
		kv := &c.layers[i]
		kv.K, kv.V = cutPages(kv.K, c.pages), cutPages(kv.V, c.pages)
		kv.K32, kv.V32 = cutPages(kv.K32, c.pages), cutPages(kv.V32, c.pages)
		kv.K8, kv.V8, kv.V4 = cutPages(kv.K8, c.pages), cutPages(kv.V8, c.pages), cutPages(kv.V4, c.pages)
		kv.KScales, kv.VScales = cutPages(kv.KScales, c.pages), cutPages(kv.VScales, c.pages)
		c.gone[i] = min(c.gone[i], c.pages)
	}
}

// cutPages keeps the first n pages, and no reference to the others.
func cutPages[T any](pages [][]T, n int) [][]T {
	if pages == nil {
		return nil
	}
	clear(pages[n:])
	return pages[:n]
}
