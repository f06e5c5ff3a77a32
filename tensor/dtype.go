package tensor

import (
	"fmt"
	"strings"
)

// DType is an element type or a block-quantised format.
type DType uint8

// The block formats are those of GGUF, bit for bit.
const (
	Invalid DType = iota
	F32
	F16
	BF16
	I8
	I32
	Q4_0 // 32 elements: F16 scale, 16 bytes of nibbles; value = d·(q−8)
	Q8_0 // 32 elements: F16 scale, 32 int8; value = d·q
	Q4_K // 256 elements: F16 d and dmin, 8 6-bit scales and minima, 128 bytes of nibbles
	Q5_K // 256 elements: as Q4_K with a fifth bit per element
	Q6_K // 256 elements: low nibbles, high bit pairs, 16 int8 scales, F16 d
	Q4_1 // 32 elements: F16 scale and minimum, 16 bytes of nibbles; value = d·q+m
	Q5_0 // 32 elements: F16 scale, 32 fifth bits, 16 bytes of nibbles; value = d·(q−16)
	Q5_1 // 32 elements: F16 scale and minimum, 32 fifth bits, 16 bytes of nibbles; value = d·q+m
	Bool // one byte, 0 or 1
	U8
	I64
	F64
	IQ4_NL  // 32 elements: F16 scale, 16 bytes of nibbles; value = d·(the q-th of 16 fixed integers)
	MXFP4   // 32 elements: E8M0 scale, 16 bytes of nibbles, which are E2M1 numbers; value = 2^(e−127)·q
	Q2_K    // 256 elements: 16 4-bit scales and minima, 64 bytes of bit pairs, F16 d and dmin
	IQ2_XXS // 256 elements: vectors of eight from a codebook of 256, with signs and 8 scales, and F16 d
	IQ2_XS  // 256 elements: vectors of eight from a codebook of 512, with signs and 16 scales, and F16 d
	IQ2_S   // 256 elements: vectors of eight from a codebook of 1024, with signs and 16 scales, and F16 d
	IQ1_S   // 256 elements: vectors of eight from a codebook of 2048, with 8 scales and F16 d
	IQ1_M   // 256 elements: as IQ1_S with 16 scales
	U32
	F8_E4M3 // sign, 4 bits of exponent, 3 of mantissa; no infinities
	F8_E5M2 // sign, 5 bits of exponent, 2 of mantissa
	Q3_K    // 256 elements: 256 third bits, 64 bytes of bit pairs, 16 6-bit scales, F16 d; 3.44 bits an element
	IQ4_XS  // 256 elements: F16 d, 8 6-bit scales, 128 bytes of nibbles as of IQ4_NL; 4.25 bits an element
	IQ3_S   // 256 elements: F16 d, 64 indices of 9 bits into 512 fixed magnitudes of four elements, 256 signs, 8 4-bit scales; 3.44 bits
	IQ3_XXS // 256 elements: F16 d, 64 indices of 8 bits into 256 such magnitudes, 224 signs, 8 4-bit scales; 3.06 bits an element
)

// format is what the package knows of a type.
type format struct {
	name       string
	blockElems int
	blockBytes int

	decode func(dst []float32, src []byte)       // of whole blocks; the caller has checked lengths
	encode func(dst []byte, src []float32) error // the inverse
	// fitter makes the fitter of a type whose scales are searched for. A type with neither this nor encode can only be decoded.
	fitter func() fitter
	fields []Field // of a block, in the order of the packed form; if there are none, the type has none
}

// formats is the table of all types.
var formats = [...]format{
	Invalid: {name: "invalid", blockElems: 1},
	F32:     {name: "f32", blockElems: 1, blockBytes: 4, decode: decodeF32, encode: encodeF32},
	F16:     {name: "f16", blockElems: 1, blockBytes: 2, decode: decodeF16, encode: encodeF16, fields: []Field{{"x", 0, 2, 2}}},
	BF16:    {name: "bf16", blockElems: 1, blockBytes: 2, decode: decodeBF16, encode: encodeBF16},
	I8:      {name: "i8", blockElems: 1, blockBytes: 1, decode: decodeI8, encode: encodeI8},
	I32:     {name: "i32", blockElems: 1, blockBytes: 4, decode: decodeI32, encode: encodeI32},
	Q4_0:    formatQ4_0,
	Q8_0:    formatQ8_0,
	Q4_K:    formatQ4_K,
	Q5_K:    formatQ5_K,
	Q6_K:    formatQ6_K,
	Q4_1:    formatQ4_1,
	Q5_0:    formatQ5_0,
	Q5_1:    formatQ5_1,
	Bool:    {name: "bool", blockElems: 1, blockBytes: 1, decode: decodeU8, encode: encodeBool},
	U8:      {name: "u8", blockElems: 1, blockBytes: 1, decode: decodeU8, encode: encodeU8},
	I64:     {name: "i64", blockElems: 1, blockBytes: 8, decode: decodeI64, encode: encodeI64},
	F64:     {name: "f64", blockElems: 1, blockBytes: 8, decode: decodeF64, encode: encodeF64},
	IQ4_NL:  formatIQ4_NL,
	MXFP4:   formatMXFP4,
	Q2_K:    formatQ2_K,
	IQ2_XXS: formatIQ2_XXS,
	IQ2_XS:  formatIQ2_XS,
	IQ2_S:   formatIQ2_S,
	IQ1_S:   formatIQ1_S,
	IQ1_M:   formatIQ1_M,
	U32:     {name: "u32", blockElems: 1, blockBytes: 4, decode: decodeU32, encode: encodeU32},
	F8_E4M3: {name: "f8_e4m3", blockElems: 1, blockBytes: 1, decode: decodeF8_E4M3},
	F8_E5M2: {name: "f8_e5m2", blockElems: 1, blockBytes: 1, decode: decodeF8_E5M2},
	Q3_K:    formatQ3_K,
	IQ4_XS:  formatIQ4_XS,
	IQ3_S:   formatIQ3_S,
	IQ3_XXS: formatIQ3_XXS,
}

// longNames are the names that other libraries give to types.
var longNames = map[string]DType{
	"float32": F32, "float16": F16, "bfloat16": BF16, "float64": F64, "int8": I8, "int32": I32, "int64": I64, "uint8": U8, "uint32": U32,
}

// String returns the lower-case name of d, as manifests and the command line spell it.
func (d DType) String() string {
	if int(d) < len(formats) {
		return formats[d].name
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// valid reports whether d is one of the types above, other than Invalid.
func (d DType) valid() bool { return d != Invalid && int(d) < len(formats) }

// Integer reports whether the elements of d are whole numbers: I8, I32, I64, U8, U32, and Bool, whose elements are 0 and 1.
func (d DType) Integer() bool {
	switch d {
	case I8, I32, I64, U8, U32, Bool:
		return true
	}
	return false
}

// ParseDType is the inverse of [DType.String]. It takes capital letters too, and the names that other libraries use, such as float32.
func ParseDType(s string) (DType, error) {
	lower := strings.ToLower(s)
	for d, t := range formats {
		if t.name == lower && DType(d) != Invalid {
			return DType(d), nil
		}
	}
	if d, ok := longNames[lower]; ok {
		return d, nil
	}
	return Invalid, fmt.Errorf("tensor: %w: unknown dtype %q", ErrType, s)
}

// Types returns all types, without [Invalid].
func Types() []DType {
	types := make([]DType, 0, len(formats))
	for d := range formats[Invalid+1:] {
		types = append(types, Invalid+1+DType(d))
	}
	return types
}

// BlockElems returns the number of elements of one block: 1 for plain types.
func (d DType) BlockElems() int { return formats[d].blockElems }

// BlockBytes returns the size of one block in bytes.
func (d DType) BlockBytes() int { return formats[d].blockBytes }

// Quantized reports whether d stores its elements in blocks with shared scales.
func (d DType) Quantized() bool { return d.BlockElems() > 1 }

// RowBytes returns the bytes of a contiguous row of n elements. n must be a multiple of [DType.BlockElems].
func (d DType) RowBytes(n int) int { return n / d.BlockElems() * d.BlockBytes() }
