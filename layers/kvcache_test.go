package layers_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// naiveCache is the definition that KVCache is compared with: the text and the pending rows as lists of marks, which stand for keys.
type naiveCache struct {
	text    []int
	pending []naiveRow
	context int
}

type naiveRow struct {
	mark, parent int
	dropped      bool
}

// path returns the marks from the first pending ancestor of a row to the row.
func (c *naiveCache) path(row int) []int {
	if row < 0 {
		return nil
	}
	return append(c.path(c.pending[row].parent), c.pending[row].mark)
}

// marks returns the marks that a row of the cache sees, read from keys and values of every layer and head.
func marks(t *rapid.T, c *layers.KVCache, v kernels.Visible) []int {
	var slots, got []int
	for s := v.First; s < v.Prefix; s++ {
		slots = append(slots, s)
	}
	for _, s := range v.Path {
		slots = append(slots, int(s))
	}
	for _, s := range slots {
		mark := -1
		for layer := range cacheLayers {
			kv := c.KV(layer)
			for h := range kv.KVHeads {
				for i := range kv.HeadDim {
					k, v := stored(kv, h, s, i)
					key, value := int(k)-layer-h, -int(v)-layer-h
					if mark == -1 {
						mark = key
					}
					if key != mark || value != mark {
						t.Fatalf("slot %d layer %d head %d element %d: key of %d, value of %d in a row of %d", s, layer, h, i, key, value, mark)
					}
				}
			}
		}
		got = append(got, mark)
	}
	return got
}

// stored returns what a key and a value of a head have at element i, without what putFactor multiplied it by.
func stored(kv *kernels.KV, h, slot, i int) (key, value float32) {
	page, at := slot/kv.PageLen, (h*kv.PageLen+slot%kv.PageLen)*kv.HeadDim+i
	switch {
	case kv.K32 != nil:
		key, value = kv.K32[page][at], kv.V32[page][at]
	case kv.K8 != nil:
		scale := (h*kv.HeadDim+i)/32*kv.PageLen + slot%kv.PageLen
		key = tensor.F16ToF32(kv.KScales[page][scale]) * float32(kv.K8[page][at])
		value = tensor.F16ToF32(kv.VScales[page][scale])
		if kv.V4 != nil {
			value *= float32(kernels.Nibble(kv.V4[page], at)) - 8
		} else {
			value *= float32(kv.V8[page][at]) - 128
		}
	default:
		key, value = tensor.F16ToF32(kv.K[page][at]), tensor.F16ToF32(kv.V[page][at])
	}
	keyFactor, valueFactor := putFactors(kv, i)
	return key / keyFactor, value / valueFactor
}

// putFactors tell elements of a head apart in such a way that every type of cache keeps them as they are: of 127, or 8, times an integer and
// smaller multiples of it, that is the scale.
func putFactors(kv *kernels.KV, i int) (key, value float32) {
	switch {
	case kv.HeadDim < 32:
		key, value = float32(1+i%2), float32(1+i%2)
	case kv.V4 != nil:
		key, value = float32(127-i%32), float32(8-i%8)
	default:
		key, value = float32(127-i%32), float32(127-i%32)
	}
	return key, value
}

const cacheLayers, cacheHeads = 2, 2

// cacheDim is the number of elements of a head.
func cacheDim(d tensor.DType) int { return d.BlockElems() * 2 }

// put stores keys and values that tell mark, layer, head and element.
func put(c *layers.KVCache, slot, mark int) {
	dim := c.KV(0).HeadDim
	k, v := make([]float32, cacheHeads*dim), make([]float32, cacheHeads*dim)
	for layer := range cacheLayers {
		for h := range cacheHeads {
			for i := range dim {
				key, value := putFactors(c.KV(0), i)
				k[h*dim+i], v[h*dim+i] = float32(mark+layer+h)*key, -float32(mark+layer+h)*value
			}
		}
		c.Put(layer, slot, k, v)
	}
}

func TestKVCacheRandomWalk(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F16, tensor.F32, tensor.Q8_0, tensor.Q4_0} {
		for _, window := range []int{0, 100} {
			t.Run(fmt.Sprintf("%v window %d", d, window), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) { walkCache(t, d, window) })
			})
		}
	}
}

// walkCache does what can be done with a cache at random. What a row sees is looked at through the window, if there is one.
func walkCache(t *rapid.T, d tensor.DType, window int) {
	seen := func(v kernels.Visible) kernels.Visible {
		if window > 0 {
			return v.Last(window)
		}
		return v
	}
	last := func(marks []int) []int {
		if window > 0 {
			return marks[max(len(marks)-window, 0):]
		}
		return marks
	}
	longest := 0 // text since it was last empty
	top := 0     // rows since a truncation gave memory back
	naive := &naiveCache{context: rapid.IntRange(1, 600).Draw(t, "context")}
	c, err := layers.NewKVCache(layers.KVConfig{Layers: layers.UniformKV(cacheLayers, layers.KVLayer{KVHeads: cacheHeads, HeadDim: cacheDim(d), Window: window}), Context: naive.context, Type: d})
	if err != nil {
		t.Fatal(err)
	}
	elems := 256 * cacheLayers * cacheHeads * cacheDim(d)
	pageBytes := int64(d.RowBytes(elems) + layers.KVConfig{Type: d}.Keys().RowBytes(elems)) // of all layers
	mark := 0
	add := func(n int, parents []int32) {
		first, err := c.Append(n, parents)
		full := false
		before := len(naive.pending)
		for i := range n {
			parent := before + i - 1
			if parents != nil {
				parent = int(parents[i])
			}
			mark = (mark + 1) % 1000
			naive.pending = append(naive.pending, naiveRow{mark: mark, parent: parent})
			full = full || len(naive.text)+len(naive.path(before+i)) > naive.context
		}
		if full {
			naive.pending = naive.pending[:before]
			if !errors.Is(err, layers.ErrContextFull) {
				t.Fatalf("append beyond the context: got %v", err)
			}
			return
		}
		if err != nil || first != before {
			t.Fatalf("append: got %d, %v; want %d", first, err, before)
		}
		for i := range n {
			put(c, c.Slot(first+i), naive.pending[first+i].mark)
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"chain": func(t *rapid.T) {
			if n := len(naive.pending); n > 0 && naive.pending[n-1].dropped {
				t.Skip("the last row was dropped")
			}
			add(rapid.IntRange(1, 300).Draw(t, "rows"), nil)
		},
		"tree": func(t *rapid.T) {
			parents := make([]int32, rapid.IntRange(1, 20).Draw(t, "rows"))
			for i := range parents {
				parent := rapid.IntRange(-1, len(naive.pending)+i-1).Draw(t, "parent")
				if parent >= 0 && parent < len(naive.pending) && naive.pending[parent].dropped {
					parent = -1
				}
				parents[i] = int32(parent)
			}
			add(len(parents), parents)
		},
		"drop": func(t *rapid.T) {
			if len(naive.pending) == 0 {
				t.Skip("nothing pending")
			}
			row := rapid.IntRange(0, len(naive.pending)-1).Draw(t, "row")
			naive.pending[row].dropped = true
			c.Drop(row)
		},
		"commit": func(t *rapid.T) {
			row := rapid.IntRange(-1, len(naive.pending)-1).Draw(t, "row")
			var path []int
			dropped := false
			for r := row; r >= 0; r = naive.pending[r].parent {
				path = append(path, r)
				dropped = dropped || naive.pending[r].dropped
			}
			slices.Reverse(path)
			err := c.Commit(path)
			if (err != nil) != dropped {
				t.Fatalf("commit of %v, dropped: %v: %v", path, dropped, err)
			}
			if !dropped {
				naive.text, naive.pending = append(naive.text, naive.path(row)...), nil
				longest = max(longest, len(naive.text))
			}
		},
		"bad commit": func(t *rapid.T) {
			for _, path := range [][]int{{-1}, {len(naive.pending)}, {0, 0}} {
				if c.Commit(path) == nil {
					t.Fatalf("commit of %v: no error", path)
				}
			}
		},
		"rollback": func(t *rapid.T) {
			n := rapid.IntRange(0, len(naive.pending)).Draw(t, "n")
			if err := c.Rollback(n); err != nil {
				t.Fatal(err)
			}
			naive.pending = naive.pending[:n]
			if c.Rollback(n+1) == nil || c.Rollback(-1) == nil {
				t.Fatal("rollback to what never was: no error")
			}
		},
		"truncate": func(t *rapid.T) {
			n := rapid.IntRange(0, len(naive.text)).Draw(t, "n")
			if c.Truncate(len(naive.text)+1) == nil || c.Truncate(-1) == nil {
				t.Fatal("truncate to what never was: no error")
			}
			behind := 0 // the first row that must be there
			if window > 0 {
				behind = max(n-window+1, 0)
			}
			lost := window > 0 && n > 0 && behind/256 < max(longest-window+1, 0)/256
			if err := c.Truncate(n); errors.Is(err, layers.ErrNotKept) != lost || (err != nil) != lost {
				t.Fatalf("truncate %d, once %d, to %d: %v", len(naive.text), longest, n, err)
			}
			if lost {
				return
			}
			if n == 0 {
				longest = 0
			}
			naive.text, naive.pending, top = naive.text[:n], nil, n
			if limit := int64((n+255)/256) * pageBytes; c.Bytes() > limit {
				t.Fatalf("%d bytes for %d rows, want at most %d", c.Bytes(), n, limit)
			}
		},
		"": func(t *rapid.T) {
			if c.Len() != len(naive.text) || c.Pending() != len(naive.pending) {
				t.Fatalf("got %d committed and %d pending rows, want %d and %d", c.Len(), c.Pending(), len(naive.text), len(naive.pending))
			}
			if got := marks(t, c, seen(kernels.Visible{Prefix: c.Len()})); !slices.Equal(got, last(naive.text)) {
				t.Fatalf("text %v, want %v", got, last(naive.text))
			}
			top = max(top, len(naive.text)+len(naive.pending)) // memory for pending rows stays
			pages := int64((top+255)/256 - max(len(naive.text)-window+1, 0)/256)
			if most := pages * pageBytes; window > 0 && c.Bytes() > most {
				t.Fatalf("%d bytes behind a window of %d, want at most %d", c.Bytes(), window, most)
			}
			if len(naive.pending) == 0 {
				return
			}
			row := rapid.IntRange(0, len(naive.pending)-1).Draw(t, "row")
			v, _ := c.Visible(row, nil)
			want := append(slices.Clone(naive.text), naive.path(row)...)
			if got := marks(t, c, seen(v)); !slices.Equal(got, last(want)) {
				t.Fatalf("row %d sees %v, want %v", row, got, last(want))
			}
			if c.Position(row) != len(want)-1 || c.Dropped(row) != naive.pending[row].dropped {
				t.Fatalf("row %d: position %d, dropped %v", row, c.Position(row), c.Dropped(row))
			}
		},
	})
}

func TestKVCacheVisibleIsAPrefixForChains(t *testing.T) {
	c, err := layers.NewKVCache(layers.KVConfig{Layers: layers.UniformKV(1, layers.KVLayer{KVHeads: 1, HeadDim: 2}), Context: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, parents := range [][]int32{nil, {1, 1, 4}} { // rows 0 to 2 a chain; 3 and 4 under row 1, 5 under 4
		if _, err := c.Append(3, parents); err != nil {
			t.Fatal(err)
		}
	}
	for row, want := range []kernels.Visible{{Prefix: 1}, {Prefix: 2}, {Prefix: 3}, {Prefix: 2, Path: []int32{3}}, {Prefix: 2, Path: []int32{4}}, {Prefix: 2, Path: []int32{4, 5}}} {
		got, _ := c.Visible(row, nil)
		if got.Prefix != want.Prefix || !slices.Equal(got.Path, want.Path) {
			t.Errorf("row %d: got %+v, want %+v", row, got, want)
		}
	}
}

// TestKVCacheOfWindows: the layers of Gemma 3 1B at 8,192 positions take 43 MiB, of which the 4 that see everything take 32.
func TestKVCacheOfWindows(t *testing.T) {
	for _, c := range []struct {
		window int
		least  int64 // bytes after 8192 rows, and after 8191
		most   int64
	}{{0, 208 << 20, 208 << 20}, {512, 43 << 20, 49 << 20}} {
		config := layers.KVConfig{Layers: layers.UniformKV(26, layers.KVLayer{KVHeads: 1, HeadDim: 256, Window: c.window}), Context: 8192}
		for i := 5; i < 26; i += 6 {
			config.Layers[i].Window = 0
		}
		cache, err := layers.NewKVCache(config)
		if err != nil {
			t.Fatal(err)
		}
		path := make([]int, 127)
		for i := range path {
			path[i] = i
		}
		for cache.Len() < 8192 {
			if cache.Len() == 8191-8191%127 {
				path = path[:8191%127]
			} else if cache.Len() == 8191 {
				path = path[:1]
			}
			if _, err := cache.Append(len(path), nil); err != nil {
				t.Fatal(err)
			}
			if err := cache.Commit(path); err != nil {
				t.Fatal(err)
			}
			if cache.Bytes() > c.most {
				t.Fatalf("window %d: %d MiB after %d rows", c.window, cache.Bytes()>>20, cache.Len())
			}
		}
		if cache.Bytes() != c.least {
			t.Errorf("window %d: %d MiB after 8192 rows, want %d", c.window, cache.Bytes()>>20, c.least>>20)
		}
	}
}

// TestKVCacheOfNoLayers: positions, trees and texts are kept track of without keys and values.
func TestKVCacheOfNoLayers(t *testing.T) {
	c, err := layers.NewKVCache(layers.KVConfig{Context: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(4, []int32{-1, 0, 0, 2}); err != nil {
		t.Fatal(err)
	}
	if err := c.Commit([]int{0, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(2, nil); !errors.Is(err, layers.ErrContextFull) {
		t.Errorf("a fifth row: %v", err)
	}
	if err := c.Truncate(1); err != nil || c.Len() != 1 || c.Bytes() != 0 {
		t.Errorf("%d rows, %d bytes, %v", c.Len(), c.Bytes(), err)
	}
}

// TestKVCacheGet: Get reads what Put has stored, as it is stored.
func TestKVCacheGet(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F16, tensor.F32} {
		c, err := layers.NewKVCache(layers.KVConfig{Layers: []layers.KVLayer{{KVHeads: 1, HeadDim: 1}, {KVHeads: 2, HeadDim: 3}}, Context: 400, Type: d})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Append(300, nil); err != nil {
			t.Fatal(err)
		}
		c.Put(1, 299, []float32{1, 2, 3, 4, 5, 6}, []float32{-1, -2, -3, -4, -5, 1.0 / 3})
		k, v := make([]float32, 6), make([]float32, 6)
		c.Get(1, 299, k, v)
		third := float32(1.0 / 3)
		if d == tensor.F16 {
			third = tensor.F16ToF32(tensor.F32ToF16(third))
		}
		if !slices.Equal(k, []float32{1, 2, 3, 4, 5, 6}) || !slices.Equal(v, []float32{-1, -2, -3, -4, -5, third}) {
			t.Errorf("%v: got %v and %v", d, k, v)
		}
	}
}

// TestKVCacheQuantised: a quantised cache keeps rows to half a step of their block, not further apart than the largest element says, whatever
// is put beside them, and takes 17/32 of the memory of F16, or 13/32 with values in Q4_0, of which one opposite to the largest may be a step off.
func TestKVCacheQuantised(t *testing.T) {
	const heads, dim, rows = 2, 64, 3
	rng := rand.New(rand.NewPCG(1, 2))
	numbers := func() []float32 {
		x := make([]float32, heads*dim)
		for i := range x {
			x[i] = float32(rng.NormFloat64() * math.Exp(4*rng.NormFloat64()))
		}
		return x
	}
	config := layers.KVConfig{Layers: layers.UniformKV(1, layers.KVLayer{KVHeads: heads, HeadDim: dim}), Context: 400}
	half := filledCache(t, config, rows)
	for _, want := range []struct {
		values, keys tensor.DType
		step         float64 // of values, at most, in largest elements
		share        int64   // of the memory of F16, in 32nds
	}{{tensor.Q8_0, tensor.Q8_0, 0.5 / 127, 17}, {tensor.Q4_0, tensor.Q8_0, 1. / 8, 13}} {
		if config.Type = want.values; config.Keys() != want.keys {
			t.Errorf("keys in %v beside values in %v", config.Keys(), want.values)
		}
		c := filledCache(t, config, rows)
		if c.Bytes()*32 != half.Bytes()*want.share || c.MaxBytes()*32 != half.MaxBytes()*want.share {
			t.Errorf("%d and at most %d bytes; in F16 %d and %d", c.Bytes(), c.MaxBytes(), half.Bytes(), half.MaxBytes())
		}
		for slot := range rows {
			x, gotK, gotV := numbers(), make([]float32, heads*dim), make([]float32, heads*dim)
			c.Put(0, slot, x, x)
			c.Get(0, slot, gotK, gotV)
			for b := 0; b < len(x); b += 32 {
				largest := 0.0
				for _, v := range x[b : b+32] {
					largest = max(largest, math.Abs(float64(v)))
				}
				for i := b; i < b+32; i++ {
					// A step or half of one, and 127 times the rounding of the scale to F16.
					rounding := largest/2048 + 1e-7
					k, v := math.Abs(float64(gotK[i]-x[i])), math.Abs(float64(gotV[i]-x[i]))
					if k > largest*0.5/127+rounding || v > largest*want.step+rounding {
						t.Fatalf("element %d: %v and %v, want %v; the largest is %v", i, gotK[i], gotV[i], x[i], largest)
					}
				}
			}
		}
	}
}

// filledCache returns a cache of so many rows.
func filledCache(t *testing.T, config layers.KVConfig, rows int) *layers.KVCache {
	t.Helper()
	c, err := layers.NewKVCache(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(rows, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewKVCacheErrors(t *testing.T) {
	good := layers.KVConfig{Layers: layers.UniformKV(1, layers.KVLayer{KVHeads: 1, HeadDim: 2}), Context: 1}
	for _, change := range []func(*layers.KVConfig){
		func(c *layers.KVConfig) { c.Layers = layers.UniformKV(2, layers.KVLayer{KVHeads: -1, HeadDim: 2}) },
		func(c *layers.KVConfig) { c.Layers = layers.UniformKV(2, layers.KVLayer{KVHeads: 1}) },
		func(c *layers.KVConfig) { c.Layers = []layers.KVLayer{{KVHeads: 1, HeadDim: 2, Window: -1}} },
		func(c *layers.KVConfig) { c.Context = 0 },
		func(c *layers.KVConfig) { c.Type = tensor.Q8_0 }, // with heads of 2
		func(c *layers.KVConfig) { c.Type = tensor.Q4_0 },
	} {
		config := good
		change(&config)
		if _, err := layers.NewKVCache(config); err == nil {
			t.Errorf("%+v: no error", config)
		}
	}
}

// TestMaxBytes: no text takes more.
func TestMaxBytes(t *testing.T) {
	for _, window := range []int{0, 1, 255, 256, 257, 700} {
		c, err := layers.NewKVCache(layers.KVConfig{Layers: []layers.KVLayer{{KVHeads: 1, HeadDim: 4, Window: window}}, Context: 2000})
		if err != nil {
			t.Fatal(err)
		}
		most := int64(0)
		for range 2000 {
			if _, err := c.Append(1, nil); err != nil {
				t.Fatal(err)
			}
			if err := c.Commit([]int{0}); err != nil {
				t.Fatal(err)
			}
			most = max(most, c.Bytes())
		}
		if most != c.MaxBytes() {
			t.Errorf("window %d: a text takes up to %d bytes, want %d", window, most, c.MaxBytes())
		}
	}
}
