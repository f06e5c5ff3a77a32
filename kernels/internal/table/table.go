// Package table declares [Kernels], the table of inner kernels through which package kernels dispatches. It exists so that
// the architecture packages can fill a table without importing package kernels, which imports them.
//
// The exported functions of package kernels check every argument once; an inner kernel trusts what it gets. It runs on one
// goroutine, allocates nothing, starts nothing and touches only the memory that its arguments describe.
package table

import "github.com/lever-go/lever/tensor"

// GroupRows is the number of activation rows that are quantised together; see [Form].
const GroupRows = 16

// Kernels is one implementation of every inner operation. An entry left zero, or a format left out, is taken from the set before it in the
// registry (go ← neon ← dotprod ← i8mm ← sme2 ← fp16, go ← avx2 ← avx512 ← amx).
//
// Batch invariance: what an entry computes for one row (or head, or key) must not depend on n, tiles, heads, keys or on
// any other row: the same roundings in the same order in the gemv and the gemm path of one set.
//
// Throughout, tile and w are in the layout of [github.com/lever-go/lever/tensor.Packed], n counts activation rows, k
// columns; k is a multiple of the weight format's block.
type Kernels struct {
	Name string // "ref", "go", "neon", "dotprod", "i8mm", "sme2", "fp16", "avx2", "avx512" or "amx"
	// ByName keeps the set from being taken unless it is asked for: it gives up precision for speed, or nobody has run it on such a system.
	ByName bool

	// MatMul holds the products of packed weights, by their format, with activations in a form. One for F16, in a set that has one,
	// takes the place of MatMulF16F32; k is any number, to it and to its form.
	MatMul map[tensor.DType]QuantMatMul
	// Unpack holds, by format, what writes a tile as an unpacked one, and MatMulUnpacked, by layout, the product with one unpacked tile.
	// They serve the formats without a product of their own; a set may improve one and inherit the other.
	Unpack         map[tensor.DType]Unpacker
	MatMulUnpacked map[Layout]QuantMatMul
	// Dequantize holds, by format, what writes row r (0..15) of one tile of len(dst) columns. F16 has an entry of its own.
	Dequantize    map[tensor.DType]func(dst []float32, tile []byte, r int)
	DequantizeF16 func(dst []float32, tile []byte, r int)

	// MatMulF16F32 is QuantMatMul.Run for F16 weights and float32 activations x [n][k], accumulated in float32.
	MatMulF16F32 func(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int)
	// MatMulF32F32: dst[i*ldd+r] = Σ_c w[r*k+c]·x[i*k+c] for r < rows, i < n; w is row-major, rows is any number.
	MatMulF32F32 func(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int)

	// AttentionScores: s[h*lds+j] = scale·Σ_c q[h*headDim+c]·k[j*headDim+c] for h < heads, j < keys.
	AttentionScoresF16 func(s []float32, lds int, q []float32, heads, headDim int, k []uint16, keys int, scale float32)
	AttentionScoresF32 func(s []float32, lds int, q []float32, heads, headDim int, k []float32, keys int, scale float32)
	// AttentionValues: for j = 0, 1, … keys-1 in this order, acc[h*headDim+c] += p[h*ldp+j]·v[j*headDim+c], one rounding
	// chain per element, so that a call over keys equals two calls over its parts bit for bit.
	AttentionValuesF16 func(acc []float32, p []float32, ldp int, heads, headDim int, v []uint16, keys int)
	AttentionValuesF32 func(acc []float32, p []float32, ldp int, heads, headDim int, v []float32, keys int)

	// Of a quantised cache headDim is a multiple of 32, and block b of a key or value is its columns 32b … 32b+31.
	//
	// AttentionScoresQ8: s[h*lds+j] = Σ_b d[b*ldd+j]·(Σ_c q[h*headDim+c]·k[j*headDim+c], c in block b), the inner sum exact, blocks in
	// their order. No q is -128. d holds 3 elements more than that needs.
	AttentionScoresQ8 func(s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int)
	// AttentionValuesQ8 is AttentionValues for bytes: acc[h*headDim+c] += w[(h*headDim/32+b)*ldw+j]·(v[j*headDim+c]·ByteUnit), c in block b.
	AttentionValuesQ8 func(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int)
	// AttentionValuesQ4 is AttentionValuesQ8 for values of four bits: of columns 16i … 16i+15 of a value, byte 8i+j holds column j in its low bits
	// and column 8+j in its high ones.
	AttentionValuesQ4 func(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int)
	// ByteUnit is what AttentionValuesQ8 and Q4 take an integer of one for, a power of two: where it is 2^-133, a byte becomes a float by being
	// put in its place. Weights are so large that this does no harm.
	ByteUnit float32

	RMSNorm func(dst, x, gain []float32, eps float32) // dst[i] = x[i]·gain[i] / √(mean(x²)+eps); dst may be x
	Add     func(dst, x []float32)                    // dst[i] += x[i]
	Mul     func(dst, x []float32)                    // dst[i] *= x[i]
	Scale   func(dst []float32, s float32)            // dst[i] *= s
	SiLU    func(dst, x []float32)                    // dst[i] = x[i]/(1+exp(-x[i])); dst may be x
	SiLUMul func(dst, gate, up []float32)             // dst[i] = silu(gate[i])·up[i]; dst may be gate or up

	// RoPEHalves rotates pair (i, i+headDim/2) of each head by the angle of cos[i], sin[i]; RoPEAdjacent pair (2i, 2i+1).
	RoPEHalves   func(x, cos, sin []float32, heads, headDim int)
	RoPEAdjacent func(x, cos, sin []float32, heads, headDim int)

	Max    func(x []float32) float32              // largest element, NaN passed over; -Inf for none
	ExpSum func(x []float32, max float32) float32 // x[i] = exp(x[i]-max); returns Σ x[i]
	Argmax func(x []float32) int                  // first index of Max(x); 0 if there is none
	// IndexAbove returns the first i with x[i] > threshold, or len(x).
	IndexAbove func(x []float32, threshold float32) int

	// Conversions of len(dst) elements, rounding to nearest even; a NaN stays a NaN.
	F16ToF32  func(dst []float32, src []uint16)
	F32ToF16  func(dst []uint16, src []float32)
	BF16ToF32 func(dst []float32, src []uint16)
	F32ToBF16 func(dst []uint16, src []float32)
}

// Layout is one of an unpacked tile. A block is 32 columns: 16 × float32 d, one for each row; what the layout says; then, for j in 0..7, for each
// row 4 × int8 q of columns 4j … 4j+3.
type Layout int

// The layouts.
const (
	Signed      Layout = iota // an element is d·q
	Minima                    // d·q-m, q in 0 … 31; 16 × float32 m come after d
	MinimaPairs               // as Minima, but 16 × d, d and 16 × m, m; then, for j in 0..3, for each row 8 × int8 q of columns 8j … 8j+7
	Offset16                  // d·(q-16), q in 0 … 31
	Offset32                  // d·(q-32), q in 0 … 63
	Runs                      // d·f·(4-q), q in 0 … 7; after d come, for each half of the columns, 16 × int16 f, f
	Masked                    // d·q or, where a mask is -1, -d·q, q in 0 … 127; after d come 16 × int32 sum of the q with a mask; the masks come after the q
)

// BlockBytes is the size of a block.
func (l Layout) BlockBytes() int {
	const floats, quants = 4 * tensor.TileRows, 32 * tensor.TileRows
	switch l {
	case Minima:
		return 2*floats + quants
	case MinimaPairs:
		return 4*floats + quants
	case Runs:
		return floats + 2*2*2*tensor.TileRows + quants
	case Masked:
		return 2*floats + 2*quants
	default:
		return floats + quants
	}
}

// Unpacker writes a tile, or whole blocks of one, as an unpacked one of a layout.
type Unpacker struct {
	Layout Layout
	Run    func(dst, tile []byte)
}

// QuantMatMul multiplies packed weights with quantised activations.
type QuantMatMul struct {
	// Unpack, if its Run is not nil, writes a tile as Run takes it, or some columns of it as RunPart does.
	Unpack Unpacker
	// Form is how Run wants the activations. Kernels that share a pointer share one quantisation of an input.
	Form *Form
	// Run computes dst[i*ldd+16t+r] = Σ_c w[16t+r][c]·x[i][c] for all i < n, r < 16, t < tiles: whole tiles only. w holds
	// the tiles one after the other; q is the activations in the form's layout. n and tiles are at least 1. The caller
	// cuts the work at tiles, not at rows, so that weights stream through once: a kernel blocks over rows as it likes.
	Run func(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int)
	// RunPart, if it is not nil, takes the place of Run. It adds to dst the products with the columns from first on of an unpacked tile, of which w
	// holds at most PartColumns, so that they stay in the first cache while all rows are multiplied with them.
	RunPart func(dst []float32, ldd int, w []byte, q []byte, n, k, first int)
}

// PartColumns is the number of columns that are unpacked at a time for QuantMatMul.RunPart: a multiple of every format's block.
const PartColumns = 512

// Form is a layout of activations quantised to int8. Callers see bytes; the layout is a matter between the quantiser and
// the kernels of a set.
//
// Rows are handled in groups of GroupRows: group g of an input begins at byte g·GroupRows·RowBytes(k) of the buffer
// (64-byte aligned) and holds min(GroupRows, rows left) rows. A form may interleave the rows of one group, but what it
// stores of a row depends on that row alone.
type Form struct {
	Name string // "q8" is the plain form of package kernels, which every set that uses the name must produce bit for bit
	// Elems is the number of columns, a multiple of 32, that share a scale; 0 stands for 32.
	Elems int
	// RowBytes is the space of one row of k columns; a group of r rows takes r times as much.
	RowBytes func(k int) int
	// Quantize writes one group: the quantised form of x [rows][k], 1 ≤ rows ≤ GroupRows, k a multiple of 32.
	Quantize func(q []byte, x []float32, rows, k int)
	// Block reads back columns 32·block…32·block+31 of a row of a group of rows rows: column c stands for d·v[c].
	// It defines the layout; it is slow.
	Block func(q []byte, rows, k, row, block int) (d float32, v [32]int32)
}
