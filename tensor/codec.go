package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrNotFinite is returned where a NaN, an infinity or a value beyond the range of a block scale would have to be quantised.
var ErrNotFinite = errors.New("value has no finite quantised form")

// Decode converts src, elements of type d in their plain row-major form (for block types: blocks as in GGUF), to float32.
// len(dst) is the number of elements, a multiple of d.BlockElems(); len(src) must be d.RowBytes(len(dst)).
// I32, I64 and U32 values beyond 2²⁴ and F64 are rounded; every other conversion is the exact value of the format, rounded at most once.
// dst must not overlap src. Safe for concurrent use on disjoint dst.
func Decode(dst []float32, src []byte, d DType) error {
	if err := checkRun("decode", len(dst), len(src), d); err != nil {
		return err
	}
	formats[d].decode(dst, src)
	return nil
}

// Encode converts src to type d, which must be [Encodable]. len(src) is the number of elements, a multiple of d.BlockElems(); len(dst) must
// be d.RowBytes(len(src)).
//
// F16 and BF16 round to nearest, ties to even; overflow gives an infinity and a NaN stays a NaN. Integers round likewise, are
// clamped to their range, and are 0 for a NaN. Bool is 0 for a zero, else 1. Q4_0 and Q8_0 give the bytes of ggml's reference quantiser;
// what the other block types give is searched for, as [EncodeWeighted] says. A block that holds a NaN, an infinity or more than its F16 scale
// can express is refused with [ErrNotFinite], and dst is then unspecified. dst must not overlap src. Safe for concurrent use on disjoint dst.
func Encode(dst []byte, src []float32, d DType) error { return EncodeWeighted(dst, src, d, nil) }

// EncodeWeighted is [Encode] of a matrix whose columns matter differently, and whose errors may make up for each other. src is whole rows [rows][cols];
// cols is a multiple of d.BlockElems(). It concerns the types whose scales are searched for: Q3_K, Q4_K, Q5_K, Q6_K, IQ4_XS, IQ4_NL, IQ3_S, IQ3_XXS. Scales are
// those that keep Σ importance·√(σ²+x²)·(x−x')² small, with σ² the mean square of the block: the expected square of the error of a product, in which
// large weights count more. Then columns are rounded one after the other, or as many together as a type rounds together, each for what is best given the
// errors of those before it in its piece of [Moments]. If importance is nil, all columns matter alike, and each element is rounded for itself.
func EncodeWeighted(dst []byte, src []float32, d DType, importance *Importance) error {
	if err := checkRun("encode", len(src), len(dst), d); err != nil {
		return err
	}
	if !Encodable(d) {
		return fmt.Errorf("tensor: encode: %w: %v can only be decoded; encode to %v or %v", ErrType, d, Q4_0, Q8_0)
	}
	f := &formats[d]
	if importance != nil && (len(src)%importance.cols != 0 || importance.cols%f.blockElems != 0) {
		return fmt.Errorf("tensor: encode: %w: %d elements of %v are no rows of %d columns, which have an importance each", ErrShape, len(src), d, importance.cols)
	}
	var err error
	switch {
	case f.encode != nil:
		err = f.encode(dst, src)
	case importance == nil:
		err = f.encodeBlocks(dst, src, nil)
	default:
		for cols := importance.cols; err == nil && len(src) > 0; dst, src = dst[d.RowBytes(cols):], src[cols:] {
			err = f.encodeBlocks(dst, src[:cols], importance)
		}
	}
	if err != nil {
		return fmt.Errorf("tensor: encode %v: %w", d, err)
	}
	return nil
}

// encodeBlocks encodes block by block: a row, if there is an importance of its columns.
func (f *format) encodeBlocks(dst []byte, src []float32, importance *Importance) error {
	fitter, row := f.fitter(), newFeedback(src, importance)
	for at := 0; at < len(src); at += f.blockElems {
		x, of := row.block(at, f.blockElems)
		if extreme := extremeOf(x); extreme-extreme != 0 {
			return fmt.Errorf("block at element %d: largest %v: %w", at, extreme, ErrNotFinite)
		}
		if err := fitter.fit(x, of); err != nil {
			return fmt.Errorf("block at element %d: largest %v: %w", at, extremeOf(x), err)
		}
		row.round(fitter, at, x, of)
		fitter.put(dst[at/f.blockElems*f.blockBytes:][:f.blockBytes])
	}
	return nil
}

// Weighted reports whether an importance has an influence on what [EncodeWeighted] makes of type d.
func Weighted(d DType) bool { return d.valid() && formats[d].fitter != nil }

// Encodable reports whether [Encode] can produce elements of type d.
func Encodable(d DType) bool {
	return d.valid() && (formats[d].encode != nil || formats[d].fitter != nil)
}

// checkRun checks that n elements of type d fill size bytes.
func checkRun(op string, n, size int, d DType) error {
	switch {
	case !d.valid():
		return fmt.Errorf("tensor: %s: %w: invalid %v", op, ErrType, d)
	case n%d.BlockElems() != 0:
		return fmt.Errorf("tensor: %s: %w: %d elements are no whole number of %v blocks of %d", op, ErrShape, n, d, d.BlockElems())
	case size != d.RowBytes(n):
		return fmt.Errorf("tensor: %s: %w: %d elements of %v take %d bytes, got %d", op, ErrShape, n, d, d.RowBytes(n), size)
	}
	return nil
}

// The loops below slice exactly the bytes of one element, src[4*i:4*i+4]: for src[4*i:] the compiler adds work to every
// round, and the conversion of a matrix takes a third longer.

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i : 4*i+4]))
	}
}

func encodeF32(dst []byte, src []float32) error {
	for i, x := range src {
		binary.LittleEndian.PutUint32(dst[4*i:4*i+4], math.Float32bits(x))
	}
	return nil
}

func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i : 2*i+2]))
	}
}

func encodeF16(dst []byte, src []float32) error {
	for i, x := range src {
		binary.LittleEndian.PutUint16(dst[2*i:2*i+2], F32ToF16(x))
	}
	return nil
}

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i : 2*i+2]))
	}
}

func encodeBF16(dst []byte, src []float32) error {
	for i, x := range src {
		binary.LittleEndian.PutUint16(dst[2*i:2*i+2], F32ToBF16(x))
	}
	return nil
}

func decodeI8(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int8(src[i]))
	}
}

func encodeI8(dst []byte, src []float32) error {
	for i, x := range src {
		dst[i] = byte(int8(roundClamp(x, math.MinInt8, math.MaxInt8)))
	}
	return nil
}

func decodeI32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i : 4*i+4])))
	}
}

func encodeI32(dst []byte, src []float32) error {
	for i, x := range src {
		binary.LittleEndian.PutUint32(dst[4*i:4*i+4], uint32(int32(roundClamp(x, math.MinInt32, math.MaxInt32))))
	}
	return nil
}

// roundClamp returns x rounded to the nearest integer, ties to even, within lo..hi; 0 for a NaN.
func roundClamp(x float32, lo, hi float64) int64 {
	if x != x {
		return 0
	}
	return int64(min(max(math.RoundToEven(float64(x)), lo), hi))
}

func decodeU8(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(src[i])
	}
}

func encodeU8(dst []byte, src []float32) error {
	for i, x := range src {
		dst[i] = byte(roundClamp(x, 0, math.MaxUint8))
	}
	return nil
}

func encodeBool(dst []byte, src []float32) error {
	for i, x := range src {
		dst[i] = 0
		if x != 0 {
			dst[i] = 1
		}
	}
	return nil
}

func decodeU32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(binary.LittleEndian.Uint32(src[4*i : 4*i+4]))
	}
}

func encodeU32(dst []byte, src []float32) error {
	for i, x := range src {
		binary.LittleEndian.PutUint32(dst[4*i:4*i+4], uint32(roundClamp(x, 0, math.MaxUint32)))
	}
	return nil
}

func decodeI64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int64(binary.LittleEndian.Uint64(src[8*i : 8*i+8])))
	}
}

// encodeI64 clamps on both sides by itself: the float64 that is nearest to the largest int64 is one too large.
func encodeI64(dst []byte, src []float32) error {
	for i, x := range src {
		value := int64(math.MaxInt64)
		if !(x >= 1<<63) {
			value = roundClamp(x, math.MinInt64, math.MaxInt64)
		}
		binary.LittleEndian.PutUint64(dst[8*i:8*i+8], uint64(value))
	}
	return nil
}

func decodeF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i : 8*i+8])))
	}
}

func encodeF64(dst []byte, src []float32) error {
	for i, x := range src {
		binary.LittleEndian.PutUint64(dst[8*i:8*i+8], math.Float64bits(float64(x)))
	}
	return nil
}
