package tensor

import "fmt"

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

// integer reports whether d is a type of integers.
func (d DType) integer() bool { return d == I8 || d == I32 }

// ParseDType is the inverse of [DType.String].
func ParseDType(s string) (DType, error) {
	for d, t := range dtypes {
		if t.name == s && DType(d) != Invalid {
			return DType(d), nil
		}
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
