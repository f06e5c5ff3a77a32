package tensor

import (
	"fmt"
	"strings"
)

// DType is an element type or a block-quantised format.
type DType uint8

// The block formats Q4_0 … Q5_1 are those of GGUF, bit for bit.
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
)

var dtypes = [...]struct {
	name       string
	blockElems int
	blockBytes int
}{
	Invalid: {"invalid", 1, 0},
	F32:     {"f32", 1, 4},
	F16:     {"f16", 1, 2},
	BF16:    {"bf16", 1, 2},
	I8:      {"i8", 1, 1},
	I32:     {"i32", 1, 4},
	Q4_0:    {"q4_0", smallBlock, q40Bytes},
	Q8_0:    {"q8_0", smallBlock, q80Bytes},
	Q4_K:    {"q4_k", superBlock, q4kBytes},
	Q5_K:    {"q5_k", superBlock, q5kBytes},
	Q6_K:    {"q6_k", superBlock, q6kBytes},
	Q4_1:    {"q4_1", smallBlock, q41Bytes},
	Q5_0:    {"q5_0", smallBlock, q50Bytes},
	Q5_1:    {"q5_1", smallBlock, q51Bytes},
	Bool:    {"bool", 1, 1},
	U8:      {"u8", 1, 1},
	I64:     {"i64", 1, 8},
	F64:     {"f64", 1, 8},
}

// longNames are the names that other libraries give to types.
var longNames = map[string]DType{
	"float32": F32, "float16": F16, "bfloat16": BF16, "float64": F64, "int8": I8, "int32": I32, "int64": I64, "uint8": U8,
}

// String returns the lower-case name of d, as manifests and the command line spell it.
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// valid reports whether d is one of the types above, other than Invalid.
func (d DType) valid() bool { return d != Invalid && int(d) < len(dtypes) }

// Integer reports whether the elements of d are whole numbers: I8, I32, I64, U8, and Bool, whose elements are 0 and 1.
func (d DType) Integer() bool {
	switch d {
	case I8, I32, I64, U8, Bool:
		return true
	}
	return false
}

// ParseDType is the inverse of [DType.String]. It takes capital letters too, and the names that other libraries use, such as float32.
func ParseDType(s string) (DType, error) {
	lower := strings.ToLower(s)
	for d, t := range dtypes {
		if t.name == lower && DType(d) != Invalid {
			return DType(d), nil
		}
	}
	if d, ok := longNames[lower]; ok {
		return d, nil
	}
	return Invalid, fmt.Errorf("tensor: %w: unknown dtype %q", ErrType, s)
}

// BlockElems returns the number of elements of one block: 1 for plain types.
func (d DType) BlockElems() int { return dtypes[d].blockElems }

// BlockBytes returns the size of one block in bytes.
func (d DType) BlockBytes() int { return dtypes[d].blockBytes }

// Quantized reports whether d stores its elements in blocks with shared scales.
func (d DType) Quantized() bool { return d.BlockElems() > 1 }

// RowBytes returns the bytes of a contiguous row of n elements. n must be a multiple of [DType.BlockElems].
func (d DType) RowBytes(n int) int { return n / d.BlockElems() * d.BlockBytes() }
