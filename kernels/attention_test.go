package kernels_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// kinds are the types of values. Those in Q4_0 have keys in Q8_0.
var kinds = []tensor.DType{tensor.F16, tensor.F32, tensor.Q8_0, tensor.Q4_0}

// cache is a KV with every slot's keys and values at hand as numbers.
type cache struct {
	kv   kernels.KV
	kind tensor.DType
	k, v [][]float32 // [slot][KVHeads*HeadDim]
}

func newCache(rng *rand.Rand, kind tensor.DType, slots, pageLen, kvHeads, headDim int) *cache {
	c := &cache{kv: kernels.KV{HeadDim: headDim, KVHeads: kvHeads, PageLen: pageLen}, kind: kind}
	for range (slots + pageLen - 1) / pageLen {
		c.addPage()
		for range pageLen {
			c.k, c.v = append(c.k, nil), append(c.v, nil)
			c.set(len(c.k)-1, c.numbers(rng, kvHeads*headDim), c.values(rng, kvHeads*headDim))
		}
	}
	return c
}

// addPage adds a page of zeros.
func (c *cache) addPage() {
	kv, n := &c.kv, c.kv.KVHeads*c.kv.PageLen*c.kv.HeadDim
	switch c.kind {
	case tensor.F16:
		kv.K, kv.V = append(kv.K, make([]uint16, n)), append(kv.V, make([]uint16, n))
	case tensor.F32:
		kv.K32, kv.V32 = append(kv.K32, make([]float32, n)), append(kv.V32, make([]float32, n))
	default:
		if kv.K8 = append(kv.K8, make([]int8, n)); c.kind == tensor.Q8_0 {
			kv.V8 = append(kv.V8, make([]uint8, n))
		} else {
			kv.V4 = append(kv.V4, make([]uint8, n/2))
		}
		kv.KScales, kv.VScales = append(kv.KScales, make([]uint16, n/32)), append(kv.VScales, make([]uint16, n/32))
	}
}

// numbers returns n numbers that a cache of this kind keeps as they are, up to rounding to F16, and of which a quantised one's queries may
// be: multiples of one of their absolute value's 127th part.
func (c *cache) numbers(rng *rand.Rand, n int) []float32 {
	if !c.kind.Quantized() {
		return normal(rng, n)
	}
	return multiples(rng, n, -127, 127)
}

// values returns n numbers that a cache of this kind keeps as they are as values.
func (c *cache) values(rng *rand.Rand, n int) []float32 {
	if c.kind != tensor.Q4_0 {
		return c.numbers(rng, n)
	}
	return multiples(rng, n, 7, -8)
}

// multiples returns n multiples of 1/64 from the factor end to the factor extreme, of which every block has one.
func multiples(rng *rand.Rand, n, end, extreme int) []float32 {
	x, least := make([]float32, n), min(end, extreme)
	for i := range x {
		if x[i] = float32(least+rng.IntN(max(end, extreme)-least+1)) / 64; i%32 == 5 {
			x[i] = float32(extreme) / 64
		}
	}
	return x
}

// set stores keys and values of all heads in a slot, rounded to F16.
func (c *cache) set(slot int, k, v []float32) {
	kv, half := &c.kv, make([]uint16, len(k))
	round := func(x []float32) []float32 {
		x = slices.Clone(x)
		kernels.Default().F32ToF16(half, x)
		kernels.Default().F16ToF32(x, half)
		return x
	}
	k, v = round(k), round(v)
	c.k[slot], c.v[slot] = k, v
	page, at, dim := slot/kv.PageLen, slot%kv.PageLen, kv.HeadDim
	for h := range kv.KVHeads {
		from := (h*kv.PageLen + at) * dim
		for c0, number := range k[h*dim : (h+1)*dim] {
			i := from + c0
			switch c.kind {
			case tensor.F16:
				kv.K[page][i], kv.V[page][i] = tensor.F32ToF16(number), tensor.F32ToF16(v[h*dim+c0])
			case tensor.F32:
				kv.K32[page][i], kv.V32[page][i] = number, v[h*dim+c0]
			default:
				if c0%32 == 0 {
					scale := (h*dim+c0)/32*kv.PageLen + at
					kv.KScales[page][scale] = kernels.QuantizeBlock(kv.K8[page][i:], k[h*dim+c0:])
					if c.kind == tensor.Q4_0 {
						kv.VScales[page][scale] = kernels.QuantizeNibbles(kv.V4[page][i/2:], v[h*dim+c0:])
						continue
					}
					var q [32]int8
					kv.VScales[page][scale] = kernels.QuantizeBlock(q[:], v[h*dim+c0:])
					for j, b := range q {
						kv.V8[page][i+j] = uint8(b) + 128
					}
				}
			}
		}
	}
}

// want computes one head in float64, and for each element the bound of a float32 computation's error.
func (c *cache) want(q []float32, kvHead int, visible kernels.Visible, scale float32) (out, bound []float64) {
	dim := c.kv.HeadDim
	slots := slotsOf(visible)
	scores, top, largest := make([]float64, len(slots)), math.Inf(-1), 0.0
	for j, s := range slots {
		size := 0.0
		for i, v := range q {
			p := float64(v) * float64(c.k[s][kvHead*dim+i]) * float64(scale)
			scores[j] += p
			size += math.Abs(p)
		}
		top, largest = math.Max(top, scores[j]), math.Max(largest, size)
	}
	sum := 0.0
	for j := range scores {
		scores[j] = math.Exp(scores[j] - top)
		sum += scores[j]
	}
	out, bound = make([]float64, dim), make([]float64, dim)
	for j, s := range slots {
		for i := range dim {
			p := scores[j] / sum * float64(c.v[s][kvHead*dim+i])
			out[i] += p
			bound[i] += math.Abs(p)
		}
	}
	for i := range bound {
		bound[i] *= eps * (16 + float64(dim)*largest + math.Sqrt(float64(len(slots))))
	}
	return out, bound
}

func TestAttention(t *testing.T) {
	lengths := []int{1, 2, 3, 7, 16, 33, 100, kernels.AttentionKeys - 1, kernels.AttentionKeys, kernels.AttentionKeys + 1, 700}
	if testing.Short() {
		lengths = []int{1, 7, 33, kernels.AttentionKeys + 1}
	}
	eachOwn(t, "Attention", func(t *testing.T, set *kernels.Set) {
		rng := newRand()
		var scratch kernels.AttentionScratch
		for _, headDim := range []int{1, 4, 24, 64, 128, 300} {
			for _, group := range []int{1, 3, 4} {
				const kvHeads = 2
				for _, kind := range kinds {
					if kind.Quantized() && headDim%32 != 0 {
						continue
					}
					c := newCache(rng, kind, 720, 48, kvHeads, headDim)
					n := lengths[rng.IntN(len(lengths))]
					path := rng.Perm(min(n, 20))
					visible := kernels.Visible{Prefix: n - rng.IntN(len(path)+1)}
					for i := range n - visible.Prefix {
						visible.Path = append(visible.Path, int32(700+path[i]))
					}
					checkAttention(t, set, c, group, visible, &scratch)
				}
			}
		}
		for i, n := range lengths {
			c := newCache(rng, kinds[i%len(kinds)], 720, 64, 2, 64)
			checkAttention(t, set, c, 4, kernels.Visible{Prefix: n}, &scratch)
		}
	})
}

// checkAttention runs all heads of one row, one group at a time, with guards.
func checkAttention(t *testing.T, set *kernels.Set, c *cache, group int, visible kernels.Visible, scratch *kernels.AttentionScratch) {
	t.Helper()
	dim, heads := c.kv.HeadDim, c.kv.KVHeads*group
	q := c.numbers(newRand(), heads*dim)
	scale := float32(1 / math.Sqrt(float64(dim)))
	dst, check := guardedFloats(t, heads*dim, 5)
	before := slices.Clone(q)
	for kvHead := range c.kv.KVHeads {
		set.Attention(dst, q, &c.kv, kvHead*group, group, kvHead, visible, scale, scratch)
	}
	check()
	if !slices.Equal(before, q) {
		t.Fatal("the queries were changed")
	}
	for h := range heads {
		want, bound := c.want(q[h*dim:(h+1)*dim], h/group, visible, scale)
		for i := range want {
			if got := dst[h*dim+i]; !near(got, want[i], bound[i]) {
				t.Fatalf("dim=%d group=%d %v %d+%d keys: head %d element %d: %v, want %v ± %.2g",
					dim, group, c.kind, visible.Prefix, len(visible.Path), h, i, got, want[i], bound[i])
			}
		}
	}
}

// TestAttentionSequence: the result has the same bits wherever the keys lie: in a plain prefix, on a path through scattered
// slots, in pages of any length, and for any number of heads computed together.
func TestAttentionSequence(t *testing.T) {
	eachOwn(t, "Attention", func(t *testing.T, set *kernels.Set) {
		rapid.Check(t, func(t *rapid.T) {
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			n := rapid.IntRange(1, 40).Draw(t, "keys")
			if rapid.IntRange(0, 4).Draw(t, "long") == 0 {
				n += kernels.AttentionKeys
			}
			headDim := rapid.IntRange(1, 70).Draw(t, "dim")
			group := rapid.IntRange(1, 5).Draw(t, "group")
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			if kind.Quantized() {
				headDim = 32 * (1 + headDim%3)
			}
			plain := newCache(rng, kind, n, rapid.IntRange(1, 64).Draw(t, "page"), 1, headDim)
			prefix := n - rapid.IntRange(0, min(n, 30)).Draw(t, "path")
			spare := n - prefix + 9
			other := newCache(rng, kind, n+spare, rapid.IntRange(1, 64).Draw(t, "otherPage"), 1, headDim)
			for s := range prefix {
				other.set(s, plain.k[s], plain.v[s])
			}
			var path []int32
			for i, s := range rng.Perm(spare)[:n-prefix] {
				other.set(prefix+s, plain.k[prefix+i], plain.v[prefix+i])
				path = append(path, int32(prefix+s))
			}

			q := normal(rng, group*headDim)
			want, got := make([]float32, len(q)), make([]float32, len(q))
			var scratch, second kernels.AttentionScratch
			set.Attention(want, q, &plain.kv, 0, group, 0, kernels.Visible{Prefix: n}, 0.3, &scratch)
			set.Attention(got, q, &other.kv, 0, group, 0, kernels.Visible{Prefix: prefix, Path: path}, 0.3, &scratch)
			if !slices.Equal(got, want) {
				t.Fatalf("%d keys, %d of them on a path: the slots change the result", n, len(path))
			}
			for h := range group {
				set.Attention(got, q, &plain.kv, h, 1, 0, kernels.Visible{Prefix: n}, 0.3, &second)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d heads: the result of one depends on the others", group)
			}
		})
	})
}

// TestAttentionWith: soft-caps and sinks do what they are defined to do, and what is seen last is seen with the bits that a sequence of it alone
// has.
func TestAttentionWith(t *testing.T) {
	eachOwn(t, "Attention", func(t *testing.T, set *kernels.Set) {
		rng := newRand()
		const dim, group, slots = 32, 4, 700
		for _, kind := range kinds {
			c := newCache(rng, kind, slots, 64, 1, dim)
			q := c.numbers(rng, group*dim)
			got, want := make([]float32, len(q)), make([]float32, len(q))
			var scratch kernels.AttentionScratch
			visible := kernels.Visible{Prefix: 600, Path: []int32{610, 602, 699}}
			for _, o := range []kernels.AttentionOptions{
				{Scale: 0.7, SoftCap: 1.5},
				{Scale: 0.3, Sinks: []float32{5, -3, 0, 40}},
				{Scale: 0.3, SoftCap: 2, Sinks: []float32{1, 2, 3, 4}},
			} {
				for _, n := range []int{1, 2, 3, 4, 300, 602, 603, 900} {
					last := visible.Last(n)
					set.AttentionWith(got, q, &c.kv, 0, group, 0, last, o, &scratch)
					for h := range group {
						for i, w := range c.weighed(q[h*dim:(h+1)*dim], last, o, h) {
							if !near(got[h*dim+i], w, 1e-4) {
								t.Fatalf("%+v: last %d: head %d element %d: %v, want %v", o, n, h, i, got[h*dim+i], w)
							}
						}
					}
					moved := newCache(rng, kind, last.Len(), 64, 1, dim)
					for j, s := range slotsOf(last) {
						moved.set(j, c.k[s], c.v[s])
					}
					set.AttentionWith(want, q, &moved.kv, 0, group, 0, kernels.Visible{Prefix: last.Len()}, o, &scratch)
					if !slices.Equal(got, want) {
						t.Fatalf("%+v: last %d: other bits than the same keys alone", o, n)
					}
				}
			}
		}
	})
}

// slotsOf lists the slots of a sequence.
func slotsOf(v kernels.Visible) (slots []int) {
	for s := v.First; s < v.Prefix; s++ {
		slots = append(slots, s)
	}
	for _, s := range v.Path {
		slots = append(slots, int(s))
	}
	return slots
}

// weighed computes one head in float64.
func (c *cache) weighed(q []float32, visible kernels.Visible, o kernels.AttentionOptions, head int) []float64 {
	out, sum := make([]float64, len(q)), 0.0
	if o.Sinks != nil {
		sum = math.Exp(float64(o.Sinks[head]))
	}
	for _, s := range slotsOf(visible) {
		score := 0.0
		for i, v := range q {
			score += float64(v) * float64(c.k[s][i]) * float64(o.Scale)
		}
		if o.SoftCap != 0 {
			score = float64(o.SoftCap) * math.Tanh(score/float64(o.SoftCap))
		}
		sum += math.Exp(score)
		for i := range out {
			out[i] += math.Exp(score) * float64(c.v[s][i])
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// TestAttentionQuantised: with keys, values and queries that integers can't hold, what is rounded shifts the result no further than it should.
func TestAttentionQuantised(t *testing.T) {
	eachOwn(t, "Attention", func(t *testing.T, set *kernels.Set) {
		const dim, slots, group = 64, 600, 3
		rng := newRand()
		exact := newCache(rng, tensor.F32, slots, 64, 1, dim)
		q := normal(rng, group*dim)
		want, got := make([]float32, len(q)), make([]float32, len(q))
		var scratch kernels.AttentionScratch
		set.Attention(want, q, &exact.kv, 0, group, 0, kernels.Visible{Prefix: slots}, 0.125, &scratch)
		for kind, bound := range map[tensor.DType]float64{tensor.Q8_0: 0.02, tensor.Q4_0: 0.12} {
			quantised := newCache(rng, kind, slots, 64, 1, dim)
			for s := range slots {
				quantised.set(s, exact.k[s], exact.v[s])
			}
			set.Attention(got, q, &quantised.kv, 0, group, 0, kernels.Visible{Prefix: slots}, 0.125, &scratch)
			size, apart := 0.0, 0.0
			for i := range got {
				size += float64(want[i] * want[i])
				apart += float64((got[i] - want[i]) * (got[i] - want[i]))
			}
			if share := math.Sqrt(apart / size); !(share > bound/100 && share < bound) {
				t.Errorf("%v: the result is %.4f of its size away", kind, share)
			}
		}
	})
}

func TestAttentionNotFinite(t *testing.T) {
	eachOwn(t, "Attention", func(t *testing.T, set *kernels.Set) {
		const dim, n = 32, 50
		var scratch kernels.AttentionScratch
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for _, kind := range kinds {
				c := newCache(newRand(), kind, n, 16, 1, dim)
				q, dst := c.numbers(newRand(), dim), make([]float32, dim)
				v := slices.Clone(c.v[7])
				v[3] = float32(bad)
				c.set(7, c.k[7], v)
				set.Attention(dst, q, &c.kv, 0, 1, 0, kernels.Visible{Prefix: n}, 1, &scratch)
				for i, got := range dst {
					if finite := !math.IsNaN(float64(got)) && !math.IsInf(float64(got), 0); finite == (i == 3 || kind.Quantized()) { // a block is bad as a whole
						t.Fatalf("%v in a value gave %v at %d", bad, got, i)
					}
				}
				if math.IsNaN(bad) { // an infinite score may be -Inf, which is a key of no weight
					v[3] = 0
					k := slices.Clone(c.k[7])
					k[3] = float32(bad)
					c.set(7, k, v)
					set.Attention(dst, q, &c.kv, 0, 1, 0, kernels.Visible{Prefix: n}, 1, &scratch)
					if i := slices.IndexFunc(dst, func(v float32) bool { return v == v }); i >= 0 {
						t.Fatalf("%v in a key gave %v", bad, dst[i])
					}
				}
				q[5] = float32(bad)
				set.Attention(dst, q, &c.kv, 0, 1, 0, kernels.Visible{Prefix: n}, 1, &scratch)
				if i := slices.IndexFunc(dst, func(v float32) bool { return v == v }); i >= 0 {
					t.Fatalf("%v in the query gave %v", bad, dst[i])
				}
			}
		}
	})
}

func TestAttentionMisuse(t *testing.T) {
	c, c32 := newCache(newRand(), tensor.F16, 32, 16, 2, 8), newCache(newRand(), tensor.F32, 32, 16, 2, 8)
	q, dst := make([]float32, 32), make([]float32, 32)
	both, short := c.kv, newCache(newRand(), tensor.Q8_0, 32, 16, 2, 32).kv
	both.K32, both.V32 = c32.kv.K32, c32.kv.V32
	nibbles := newCache(newRand(), tensor.Q4_0, 32, 16, 2, 32).kv
	bytesToo, noValues := nibbles, nibbles
	bytesToo.V8, noValues.V4 = short.V8, nil
	short.HeadDim, short.KVHeads = 8, 4
	run := func(dst, q []float32, kv *kernels.KV, head0, heads, kvHead int, visible kernels.Visible) func() {
		return func() {
			var scratch kernels.AttentionScratch
			kernels.Default().Attention(dst, q, kv, head0, heads, kvHead, visible, 1, &scratch)
		}
	}
	one := kernels.Visible{Prefix: 1}
	for name, f := range map[string]func(){
		"head of the cache": run(dst, q, &c.kv, 0, 1, 2, one),
		"short q":           run(dst, q[:31], &c.kv, 2, 2, 0, one),
		"short dst":         run(dst[:31], q, &c.kv, 2, 2, 0, one),
		"no heads":          run(dst, q, &c.kv, 0, 0, 0, one),
		"nothing visible":   run(dst, q, &c.kv, 0, 1, 0, kernels.Visible{}),
		"first":             run(dst, q, &c.kv, 0, 1, 0, kernels.Visible{First: 2, Prefix: 1, Path: []int32{1, 2}}),
		"negative first":    run(dst, q, &c.kv, 0, 1, 0, kernels.Visible{First: -1, Prefix: 1}),
		"few sinks": func() {
			var scratch kernels.AttentionScratch
			kernels.Default().AttentionWith(dst, q, &c.kv, 2, 2, 0, one, kernels.AttentionOptions{Scale: 1, Sinks: q[:3]}, &scratch)
		},
		"long prefix":   run(dst, q, &c32.kv, 0, 1, 0, kernels.Visible{Prefix: 33}),
		"slot":          run(dst, q, &c32.kv, 0, 1, 0, kernels.Visible{Path: []int32{32}}),
		"negative slot": run(dst, q, &c32.kv, 0, 1, 0, kernels.Visible{Path: []int32{-1}}),
		"two kinds":     run(dst, q, &both, 0, 1, 0, one),
		"two of values": run(make([]float32, 128), make([]float32, 128), &bytesToo, 0, 1, 0, one),
		"no values":     run(make([]float32, 128), make([]float32, 128), &noValues, 0, 1, 0, one),
		"part of block": run(dst, q, &short, 0, 1, 0, one),
	} {
		if panicOf(f) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Later stretches of keys hold larger scores than earlier ones, so that what was summed up must be corrected.
func TestAttentionDoesNotAllocate(t *testing.T) {
	eachOwn(t, "Attention", func(t *testing.T, set *kernels.Set) {
		const slots, dim, heads, pageLen = 640, 64, 4, 64
		for _, kind := range kinds {
			c := newCache(newRand(), kind, slots, pageLen, 1, dim)
			for slot := range slots {
				key := slices.Repeat([]float32{float32(slot / pageLen)}, dim)
				c.set(slot, key, key)
			}
			q, dst := slices.Repeat([]float32{1}, heads*dim), make([]float32, heads*dim)
			var scratch kernels.AttentionScratch
			visible := kernels.Visible{Prefix: slots - 10, Path: []int32{slots - 9, slots - 5}}
			if allocs := testing.AllocsPerRun(5, func() {
				set.Attention(dst, q, &c.kv, 0, heads, 0, visible, 0.125, &scratch)
			}); allocs != 0 {
				t.Errorf("%v: %v allocations", kind, allocs)
			}
		}
	})
}

// FuzzAttention runs any sequence of visible slots and any values through every set.
func FuzzAttention(f *testing.F) {
	f.Add(uint8(3), []byte{7, 1, 2}, []byte{0, 0x3c, 0, 0xc0})
	f.Add(uint8(0), []byte{0}, []byte{0, 0x7c})
	f.Fuzz(func(t *testing.T, prefix uint8, path, data []byte) {
		const slots, dim = 40, 6
		visible := kernels.Visible{Prefix: int(prefix) % (slots + 1)}
		for _, s := range path {
			visible.Path = append(visible.Path, int32(s)%slots)
		}
		if visible.Prefix+len(path) == 0 || len(data) < 2 {
			return
		}
		kv := kernels.KV{HeadDim: dim, KVHeads: 1, PageLen: 8}
		at := 0
		for range slots / kv.PageLen {
			page := make([]uint16, kv.PageLen*dim)
			for i := range page {
				page[i] = binary.LittleEndian.Uint16(data[at:])
				at = (at + 2) % (len(data) - 1)
			}
			kv.K, kv.V = append(kv.K, page), append(kv.V, page)
		}
		q, dst := normal(newRand(), 2*dim), make([]float32, 2*dim)
		var want []float32
		for _, set := range kernels.AllSets() {
			var scratch kernels.AttentionScratch
			set.Attention(dst, q, &kv, 0, 2, 0, visible, 0.5, &scratch)
			if want == nil {
				want = slices.Clone(dst)
			}
			for i := range dst {
				if (dst[i] == dst[i]) != (want[i] == want[i]) && len(visible.Path) == 0 {
					t.Fatalf("%s: element %d is %v, in the reference %v", set.Name(), i, dst[i], want[i])
				}
			}
		}
	})
}

// TestQuantizeNibbles: of any block, each element is kept to half a step, an eighth of the largest, except that at the end of the range that lies
// opposite to the largest it may be a step; the largest is kept as precisely as F16 can.
func TestQuantizeNibbles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := math.Exp(rapid.Float64Range(-15, 12).Draw(t, "size"))
		x := make([]float32, 32)
		for i := range x {
			x[i] = float32(size * rapid.Float64Range(-1, 1).Draw(t, "x"))
		}
		checkNibbles(t, x)
	})
}

// checkNibbles quantises a block.
func checkNibbles(t rapid.TB, x []float32) {
	q, check := guarded[byte](t, 16, 1, 0xa5)
	before := slices.Clone(x)
	d := float64(tensor.F16ToF32(kernels.QuantizeNibbles(q, x)))
	check()
	largest := 0.0
	for i, v := range x {
		if math.Float32bits(v) != math.Float32bits(before[i]) {
			t.Fatalf("element %d was changed", i)
		}
		largest = max(largest, math.Abs(float64(v))) // a NaN stays one
	}
	if math.IsNaN(largest) || math.IsInf(largest, 0) {
		if !math.IsNaN(d) {
			t.Fatalf("%v gave the scale %v", x, d)
		}
		return
	}
	if math.IsInf(d, 0) && largest > 8*65504 {
		return
	}
	rounding := largest/2048 + 8*0x1p-25 // of the scale to F16, eight times
	for i, v := range x {
		integer := int(q[i/16*8+i%8]>>(i%16/8*4)&15) - 8
		off, bound := math.Abs(d*float64(integer)-float64(v)), largest/16+rounding
		if integer == 7 {
			bound = largest/8 + rounding
		}
		if math.Abs(float64(v)) == largest && integer < 0 {
			bound = rounding
		}
		if off > bound {
			t.Fatalf("element %d, %v, is stored as %d·%v, %v away: more than %v", i, v, integer, d, off, bound)
		}
	}
	if largest > 0x1p-10 && !slices.ContainsFunc(q, func(b byte) bool { return b&15 == 0 || b>>4 == 0 }) {
		t.Fatalf("%v uses no more than part of the range: %v", x, q)
	}
}

func FuzzQuantizeNibbles(f *testing.F) {
	for _, row := range specialRows() {
		var data []byte
		for _, v := range row {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x := make([]float32, 32)
		for i := range min(len(x), len(data)/4) {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		checkNibbles(t, x)
	})
}

// FuzzAttentionQuantised gives every set any bytes of a quantised cache: where scales are finite, the results are those of the reference.
func FuzzAttentionQuantised(f *testing.F) {
	f.Add(uint8(3), []byte{7, 1, 2}, []byte{0, 0x3c, 0, 0xc0})
	f.Add(uint8(17), []byte{}, []byte{0xff, 0x20, 0x80, 0x0f, 0xf0, 0x7f, 0})
	f.Fuzz(func(t *testing.T, prefix uint8, path, data []byte) {
		const slots, dim, pageLen, group = 40, 64, 8, 2
		visible := kernels.Visible{Prefix: int(prefix) % (slots + 1)}
		for _, s := range path {
			visible.Path = append(visible.Path, int32(s)%slots)
		}
		if visible.Len() == 0 || len(data) == 0 {
			return
		}
		at := 0
		next := func() byte { at++; return data[(at-1)%len(data)] }
		bytes := kernels.KV{HeadDim: dim, KVHeads: 1, PageLen: pageLen}
		nibbles := bytes
		for range slots / pageLen {
			k, v8, v4 := make([]int8, pageLen*dim), make([]uint8, pageLen*dim), make([]uint8, pageLen*dim/2)
			kScales, vScales := make([]uint16, pageLen*dim/32), make([]uint16, pageLen*dim/32)
			for i := range k {
				k[i], v8[i], v4[i/2] = int8(max(next(), 1)-128), next(), next()
			}
			for i := range kScales { // smaller than 2^-5
				kScales[i], vScales[i] = uint16(next())<<8&0xa7ff|uint16(next()), uint16(next())<<8&0xa7ff|uint16(next())
			}
			bytes.K8, bytes.V8 = append(bytes.K8, k), append(bytes.V8, v8)
			bytes.KScales, bytes.VScales = append(bytes.KScales, kScales), append(bytes.VScales, vScales)
			nibbles.V4 = append(nibbles.V4, v4)
		}
		nibbles.K8, nibbles.KScales, nibbles.VScales = bytes.K8, bytes.KScales, bytes.VScales
		q := normal(newRand(), group*dim)
		for _, kv := range []*kernels.KV{&bytes, &nibbles} {
			var want []float32
			for _, set := range kernels.AllSets() {
				var scratch kernels.AttentionScratch
				dst := make([]float32, len(q))
				set.Attention(dst, q, kv, 0, group, 0, visible, 0.125, &scratch)
				if want == nil {
					want = dst
				}
				for i := range dst {
					if !near(dst[i], float64(want[i]), 1e-3) {
						t.Fatalf("%s: element %d is %v, in the reference %v", set.Name(), i, dst[i], want[i])
					}
				}
			}
		}
	})
}

func ExampleSet_Attention() {
	// Two keys of one head of two elements; the query matches the second.
	kv := kernels.KV{HeadDim: 2, KVHeads: 1, PageLen: 2, K32: [][]float32{{1, 0, 0, 1}}, V32: [][]float32{{10, 20, 30, 40}}}
	q, dst := []float32{0, 50}, make([]float32, 2)
	var scratch kernels.AttentionScratch
	kernels.Default().Attention(dst, q, &kv, 0, 1, 0, kernels.Visible{Prefix: 2}, 1, &scratch)
	fmt.Println(dst)
	// Output: [30 40]
}
