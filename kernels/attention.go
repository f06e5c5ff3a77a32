package kernels

import (
	"fmt"
	"math"
)

// KV is one layer's cache of keys and values, in pages [KVHeads][PageLen][HeadDim]: slot s is entry s%PageLen of page
// s/PageLen. Either K and V (F16), or K32 and V32 (float32), or K8 with V8 or V4 and the scales are used, the others nil. A page of which no slot
// is visible may be nil.
type KV struct {
	HeadDim, KVHeads, PageLen int
	K, V                      [][]uint16
	K32, V32                  [][]float32

	// Of a quantised cache HeadDim is a multiple of 32. Each 32 elements of a head share a scale, F16, in pages [KVHeads][HeadDim/32][PageLen].
	// An element is its scale times q, which K8 holds as it is and V8 as q+128; see [QuantizeBlock]. V4 holds it as q+8, in four bits, as
	// [QuantizeNibbles] writes it: its pages are [KVHeads][PageLen][HeadDim/2].
	K8               [][]int8
	V8, V4           [][]uint8
	KScales, VScales [][]uint16
}

// Visible is the sequence of slots that a query row sees: First … Prefix-1, then those of Path in order. A row of a token tree
// has its ancestors in Path.
type Visible struct {
	First, Prefix int // 0 ≤ First ≤ Prefix
	Path          []int32
}

// Len returns the number of slots.
func (v Visible) Len() int { return v.Prefix - v.First + len(v.Path) }

// Last returns the last n slots of v, or v if it has no more.
func (v Visible) Last(n int) Visible {
	skip := max(v.Len()-n, 0)
	inPath := max(skip-(v.Prefix-v.First), 0)
	return Visible{First: v.First + skip - inPath, Prefix: v.Prefix, Path: v.Path[inPath:]}
}

// AttentionOptions says how attention makes weights of scores.
type AttentionOptions struct {
	Scale float32 // of query·key

	// SoftCap limits a scaled score s to SoftCap·tanh(s/SoftCap), unless it is 0. It is computed in plain Go.
	SoftCap float32

	// Sinks, if not nil, hold for each head, [all heads], the score of a key more, whose value is zero.
	Sinks []float32
}

// AttentionScratch is the working memory of [Attention] for one goroutine. The zero value is ready; it grows as needed.
type AttentionScratch struct {
	scores     []float32 // [heads][attentionKeys]
	max, sum   []float32 // [heads]
	correction [1]float32
	quantized  quantizedScratch
}

// attentionKeys is the number of keys, counted along the visible sequence, between two corrections of the running maximum.
const attentionKeys = 256

// Attention computes, for one query row and each head h in [head0, head0+heads), all of which read key-value head kvHead,
//
//	dst[h] = Σ_j softmax_j(scale · q[h]·K[j]) V[j]
//
// over the slots j of visible, of which there is at least one. q and dst are [all heads][kv.HeadDim]; only the heads named
// are read and written, so that several goroutines may share the heads of a row, each with its own scratch. dst must not
// overlap q.
//
// The softmax is computed online (Milakov and Gimelshein 2018) over stretches of the sequence that are counted from its
// start: the result depends on the sequence of keys and values, not on the slots that hold them, so a tree row equals the
// plain row bit for bit.
func (s *Set) Attention(dst, q []float32, kv *KV, head0, heads, kvHead int, visible Visible, scale float32, scratch *AttentionScratch) {
	s.AttentionWith(dst, q, kv, head0, heads, kvHead, visible, AttentionOptions{Scale: scale}, scratch)
}

// AttentionWith is [Set.Attention] with other weights than the softmax of scaled scores.
func (s *Set) AttentionWith(dst, q []float32, kv *KV, head0, heads, kvHead int, visible Visible, o AttentionOptions, scratch *AttentionScratch) {
	checkAttention(dst, q, kv, head0, heads, kvHead, visible)
	if o.Sinks != nil && len(o.Sinks) < head0+heads {
		panic(fmt.Sprintf("kernels: Attention: heads %d..%d with %d sinks", head0, head0+heads-1, len(o.Sinks)))
	}
	dim := kv.HeadDim
	q = q[head0*dim : (head0+heads)*dim]
	dst = dst[head0*dim : (head0+heads)*dim]
	clear(dst)
	scratch.reset(heads)
	if o.Sinks != nil {
		scratch.sink(o.Sinks[head0 : head0+heads])
	}
	if kv.K8 != nil {
		scratch.quantized.begin(q, heads, dim, o.Scale)
	}

	total := visible.Len()
	for first := 0; first < total; first += attentionKeys {
		keys := min(attentionKeys, total-first)
		for j := 0; j < keys; {
			slot, run := visible.run(first+j, keys-j, kv.PageLen)
			s.scores(kv, scratch, j, q, heads, kvHead, slot, run, o.Scale)
			j += run
		}
		for h := range heads {
			if kv.K8 != nil {
				s.k.Scale(scratch.scores[h*attentionKeys:h*attentionKeys+keys], scratch.quantized.queryScales[h])
			}
			if o.SoftCap != 0 {
				s.SoftCap(scratch.scores[h*attentionKeys:h*attentionKeys+keys], o.SoftCap)
			}
			if correction := s.weigh(scratch, h, keys); correction != 1 {
				s.k.Scale(dst[h*dim:(h+1)*dim], correction)
				if kv.K8 != nil {
					s.k.Scale(scratch.quantized.sumsOf(h, dim), correction)
				}
			}
		}
		if kv.K8 != nil {
			s.weighBlocks(kv, scratch, heads, kvHead, visible, first, keys)
		}
		for j := 0; j < keys; {
			slot, run := visible.run(first+j, keys-j, kv.PageLen)
			s.values(kv, dst, scratch, j, heads, kvHead, slot, run)
			j += run
		}
	}
	if kv.K8 != nil {
		s.endQuantized(dst, scratch, heads, kv)
		return
	}
	for h := range heads {
		s.k.Scale(dst[h*dim:(h+1)*dim], 1/scratch.sum[h])
	}
}

// reset prepares the scratch for a row of heads heads.
func (s *AttentionScratch) reset(heads int) {
	if len(s.max) < heads {
		s.scores = make([]float32, heads*attentionKeys)
		s.max, s.sum = make([]float32, heads), make([]float32, heads)
	}
	for h := range heads {
		s.max[h], s.sum[h] = float32(math.Inf(-1)), 0
	}
}

// sink starts the softmax of each head with a key of that score and of no value.
func (s *AttentionScratch) sink(scores []float32) {
	for h, score := range scores {
		s.max[h], s.sum[h] = score, 1
	}
}

// weigh turns the next keys scores of head h in the scratch into weights relative to the largest score so far, and returns the factor that makes
// what has been summed up before relative to it too.
func (s *Set) weigh(scratch *AttentionScratch, h, keys int) (correction float32) {
	scores := scratch.scores[h*attentionKeys : h*attentionKeys+keys]
	correction = 1
	if m := s.k.Max(scores); m > scratch.max[h] {
		if scratch.sum[h] != 0 {
			scratch.correction[0] = scratch.max[h]
			correction = s.k.ExpSum(scratch.correction[:], m)
			scratch.sum[h] *= correction
		}
		scratch.max[h] = m
	}
	scratch.sum[h] += s.k.ExpSum(scores, scratch.max[h])
	return correction
}

// run returns the slot of element i of the sequence and how many of the n elements from there lie in consecutive slots of
// one page.
func (v Visible) run(i, n, pageLen int) (slot, run int) {
	if slot = v.First + i; slot < v.Prefix {
		return slot, min(n, v.Prefix-slot, pageLen-slot%pageLen)
	}
	path := v.Path[slot-v.Prefix:]
	slot, run = int(path[0]), 1
	for limit := min(n, len(path), pageLen-slot%pageLen); run < limit && int(path[run]) == slot+run; run++ {
	}
	return slot, run
}

// scores computes the scores of run keys from slot on, which are those from number j on of the stretch.
func (s *Set) scores(kv *KV, scratch *AttentionScratch, j int, q []float32, heads, kvHead, slot, run int, scale float32) {
	page, first, last := kv.locate(kvHead, slot, run)
	dst := scratch.scores[j:]
	switch {
	case kv.K8 != nil:
		x := &scratch.quantized
		s.blockScales(x.scales, run, kv, kv.KScales[page], kvHead, slot, run)
		s.k.AttentionScoresQ8(dst, attentionKeys, x.queries, heads, kv.HeadDim, kv.K8[page][first:last], run, x.scales, run)
	case kv.K != nil:
		s.k.AttentionScoresF16(dst, attentionKeys, q, heads, kv.HeadDim, kv.K[page][first:last], run, scale)
	default:
		s.k.AttentionScoresF32(dst, attentionKeys, q, heads, kv.HeadDim, kv.K32[page][first:last], run, scale)
	}
}

// values adds run values from slot on, which are those from number j on of the stretch, times their weights.
func (s *Set) values(kv *KV, acc []float32, scratch *AttentionScratch, j, heads, kvHead, slot, run int) {
	page, first, last := kv.locate(kvHead, slot, run)
	p := scratch.scores[j:]
	switch {
	case kv.V8 != nil:
		s.k.AttentionValuesQ8(acc, scratch.quantized.weights[j:], weightRow, heads, kv.HeadDim, kv.V8[page][first:last], run)
	case kv.V4 != nil:
		s.k.AttentionValuesQ4(acc, scratch.quantized.weights[j:], weightRow, heads, kv.HeadDim, kv.V4[page][first/2:last/2], run)
	case kv.V != nil:
		s.k.AttentionValuesF16(acc, p, attentionKeys, heads, kv.HeadDim, kv.V[page][first:last], run)
	default:
		s.k.AttentionValuesF32(acc, p, attentionKeys, heads, kv.HeadDim, kv.V32[page][first:last], run)
	}
}

// locate returns the page of run slots from slot on and the bounds of their entries of one head in it.
func (kv *KV) locate(kvHead, slot, run int) (page, first, last int) {
	first = (kvHead*kv.PageLen + slot%kv.PageLen) * kv.HeadDim
	return slot / kv.PageLen, first, first + run*kv.HeadDim
}

func checkAttention(dst, q []float32, kv *KV, head0, heads, kvHead int, visible Visible) {
	switch {
	case kv.HeadDim <= 0 || kv.PageLen <= 0 || kvHead < 0 || kvHead >= kv.KVHeads:
		panic(fmt.Sprintf("kernels: Attention: head %d of a cache of %d heads of %d, pages of %d", kvHead, kv.KVHeads, kv.HeadDim, kv.PageLen))
	case head0 < 0 || heads <= 0 || len(q) < (head0+heads)*kv.HeadDim || len(dst) < (head0+heads)*kv.HeadDim:
		panic(fmt.Sprintf("kernels: Attention: heads %d..%d of %d need more than %d elements of q and %d of dst", head0, head0+heads-1, kv.HeadDim, len(q), len(dst)))
	case visible.First < 0 || visible.First > visible.Prefix || visible.Len() == 0:
		panic(fmt.Sprintf("kernels: Attention: no visible key (prefix %d, from %d on)", visible.Prefix, visible.First))
	case len(kv.K) != len(kv.V) || len(kv.K32) != len(kv.V32) || len(kv.K8) != len(kv.KScales) || len(kv.K8) != len(kv.VScales) ||
		len(kv.K8) != max(len(kv.V8), len(kv.V4)) || kv.V8 != nil && kv.V4 != nil:
		panic(fmt.Sprintf("kernels: Attention: %d, %d and %d pages of keys and %d, %d, %d and %d of values; %d and %d of scales",
			len(kv.K), len(kv.K32), len(kv.K8), len(kv.V), len(kv.V32), len(kv.V8), len(kv.V4), len(kv.KScales), len(kv.VScales)))
	case kv.K8 != nil && kv.HeadDim%quantBlock != 0:
		panic(fmt.Sprintf("kernels: Attention: quantised heads of %d elements, no multiple of %d", kv.HeadDim, quantBlock))
	}
	slots, kinds := 0, 0
	for _, pages := range []int{len(kv.K), len(kv.K32), len(kv.K8)} {
		slots += pages * kv.PageLen
		kinds += min(pages, 1)
	}
	if kinds != 1 {
		panic(fmt.Sprintf("kernels: Attention: needs pages of one type, got %d F16, %d F32 and %d quantised", len(kv.K), len(kv.K32), len(kv.K8)))
	}
	if visible.Prefix > slots {
		panic(fmt.Sprintf("kernels: Attention: prefix %d of %d slots", visible.Prefix, slots))
	}
	for _, s := range visible.Path {
		if s < 0 || int(s) >= slots {
			panic(fmt.Sprintf("kernels: Attention: slot %d of %d", s, slots))
		}
	}
}
