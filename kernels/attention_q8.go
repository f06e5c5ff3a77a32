package kernels

import (
	"math"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// quantBlock is the number of elements of a quantised key or value that share a scale.
const quantBlock = 32

// What stands for zero in values.
const zeroByte, zeroNibble = 128, 8

// QuantizeBlock writes the 32 elements of x as scale·q, with scale in F16 and the nearest q in -127 … 127. With an element that is not finite
// the scale is a NaN.
func QuantizeBlock(q []int8, x []float32) (scale uint16) {
	q, x = q[:quantBlock], x[:quantBlock]
	largest, finite := largestAbs(x)
	if !finite {
		clear(q)
		return tensor.F32ToF16(float32(math.NaN()))
	}
	scale = tensor.F32ToF16(largest / 127)
	if d := tensor.F16ToF32(scale); d == 0 {
		clear(q)
	} else {
		roundBytes(q, x, 1/d)
	}
	return scale
}

// QuantizeNibbles writes the 32 elements of x as scale·(q-8), with scale in F16 and q in 0 … 15, two to a byte: of columns 16i … 16i+15, byte 8i+j
// holds column j in its low bits and column 8+j in its high ones. The element of largest magnitude is as near to q = 0 as the scale is. With an
// element that is not finite the scale is a NaN.
func QuantizeNibbles(q []uint8, x []float32) (scale uint16) {
	q, x = q[:quantBlock/2], x[:quantBlock]
	extreme, finite := largestAbs(x)
	switch {
	case !finite:
		extreme = float32(math.NaN())
	case !slices.Contains(x, -extreme):
		extreme = -extreme
	}
	scale = tensor.F32ToF16(extreme / 8)
	d := tensor.F16ToF32(scale)
	for i := range q {
		q[i] = zeroNibble | zeroNibble<<4
		if d*d > 0 {
			at := i + i&8
			q[i] = roundNibble(x[at], 1/d) | roundNibble(x[at+8], 1/d)<<4
		}
	}
	return scale
}

// roundNibble returns x·factor+8, rounded and kept in four bits.
func roundNibble(x, factor float32) uint8 {
	return uint8(min(max(int32(float32(x*factor)+zeroNibble+0.5), 0), 15))
}

// Nibble returns the q of element i of blocks that [QuantizeNibbles] has written one after the other.
func Nibble(q []uint8, i int) uint8 { return q[i/16*8+i%8] >> (i % 16 / 8 * 4) & 15 }

// largestAbs returns the largest absolute value, and whether all are finite.
func largestAbs(x []float32) (largest float32, finite bool) {
	const inf = 0x7f800000
	bits := uint32(0) // those of absolute values are in the order of these
	for _, v := range x {
		bits = max(bits, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(bits), bits < inf
}

// roundBytes writes x·factor, rounded to nearest even and no larger than 127.
func roundBytes(q []int8, x []float32, factor float32) {
	const shift = 0x1.8p23 // a sum with it has the integer in its low bits
	for i, v := range x {
		v = min(max(float32(v*factor), -127), 127)
		q[i] = int8(math.Float32bits(v + shift))
	}
}

// quantizedScratch is the working memory of attention over a quantised cache.
//
// The queries are quantised too, each head with one scale. Values are summed up as unsigned integers, of which zeroByte or zeroNibble stands for
// zero, times the weight of the key and the scale of the block; what the zeros contribute is subtracted at the end.
type quantizedScratch struct {
	queries     []int8    // [heads][HeadDim]
	queryScales []float32 // [heads], times the scale of attention
	scales      []float32 // [blocks][keys]: of keys of a run, then of the values of the stretch
	weights     []float32 // [heads][blocks][weightRow]
	sums        []float32 // [heads][blocks] of weights
	part        []float32 // [blocks]
}

// weightRow is the distance of the weights of blocks: rows of attentionKeys would put the heads' weights 4096 bytes apart, and processors take the
// longer to load from addresses that differ in higher bits alone.
const weightRow = attentionKeys + 16

// begin quantises the queries.
func (x *quantizedScratch) begin(q []float32, heads, dim int, scale float32) {
	blocks := dim / quantBlock
	grow(&x.queries, heads*dim)
	grow(&x.queryScales, heads)
	grow(&x.scales, blocks*attentionKeys+3) // kernels may read so many more
	grow(&x.weights, heads*blocks*weightRow)
	grow(&x.sums, heads*blocks)
	grow(&x.part, blocks)
	clear(x.sums)
	for h := range heads {
		query, row := x.queries[h*dim:(h+1)*dim], q[h*dim:(h+1)*dim]
		largest, finite := largestAbs(row)
		switch {
		case !finite:
			x.queryScales[h] = float32(math.NaN())
		case largest < 0x1p-100: // the factor would be infinite
			clear(query)
			x.queryScales[h] = 0
		default:
			roundBytes(query, row, 127/largest)
			x.queryScales[h] = largest / 127 * scale
		}
	}
}

// grow makes room for n elements, and keeps none if there is less.
func grow[T any](x *[]T, n int) {
	if len(*x) < n {
		*x = make([]T, n)
	}
}

// sumsOf returns the sums of head h.
func (x *quantizedScratch) sumsOf(h, dim int) []float32 {
	blocks := dim / quantBlock
	return x.sums[h*blocks : (h+1)*blocks]
}

// blockScales writes the scales of run slots from slot on, whose page is given, as [blocks][ld].
func (s *Set) blockScales(dst []float32, ld int, kv *KV, page []uint16, kvHead, slot, run int) {
	blocks := kv.HeadDim / quantBlock
	for b := range blocks {
		from := (kvHead*blocks+b)*kv.PageLen + slot%kv.PageLen
		s.k.F16ToF32(dst[b*ld:b*ld+run], page[from:from+run])
	}
}

// weightFactor is what weights are multiplied by for a kernel that takes a byte for this unit: products must not be subnormal.
func weightFactor(unit float32) float32 {
	if unit == 1 {
		return 1
	}
	return 0x1p80
}

// weighBlocks multiplies the weights of the stretch from key first on with the scales of the values, and adds them up.
func (s *Set) weighBlocks(kv *KV, scratch *AttentionScratch, heads, kvHead int, visible Visible, first, keys int) {
	x, blocks := &scratch.quantized, kv.HeadDim/quantBlock
	for j := 0; j < keys; {
		slot, run := visible.run(first+j, keys-j, kv.PageLen)
		s.blockScales(x.scales[j:], keys, kv, kv.VScales[slot/kv.PageLen], kvHead, slot, run)
		j += run
	}
	scales := x.scales[:blocks*keys]
	if factor := weightFactor(s.k.ByteUnit); factor != 1 {
		s.k.Scale(scales, factor)
	}
	for h := range heads {
		p := scratch.scores[h*attentionKeys : h*attentionKeys+keys]
		s.k.MatMulF32F32(x.part, blocks, scales, blocks, p, 1, keys)
		s.k.Add(x.sumsOf(h, kv.HeadDim), x.part[:blocks])
		for b := range blocks {
			weights := x.weights[(h*blocks+b)*weightRow:][:keys]
			copy(weights, scales[b*keys:])
			s.k.Mul(weights, p)
		}
	}
}

// endQuantized makes the result of the sums.
func (s *Set) endQuantized(dst []float32, scratch *AttentionScratch, heads int, kv *KV) {
	dim, factor, zeroValue := kv.HeadDim, weightFactor(s.k.ByteUnit), float32(zeroByte)
	if kv.V4 != nil {
		zeroValue = zeroNibble
	}
	for h := range heads {
		inverse := 1 / scratch.sum[h]
		unit, zero := inverse/(factor*s.k.ByteUnit), zeroValue*inverse/factor
		for b, sum := range scratch.quantized.sumsOf(h, dim) {
			offset := sum * zero
			for c := h*dim + b*quantBlock; c < h*dim+(b+1)*quantBlock; c++ {
				dst[c] = float32(dst[c]*unit) - offset
			}
		}
	}
}
