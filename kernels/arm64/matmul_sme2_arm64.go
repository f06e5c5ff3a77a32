package arm64

import "github.com/lever-go/lever/kernels/internal/table"

// outer is a product with quantised weights by outer products: of groups of outerRows rows or more by gemm, of a last smaller
// one by few, whose bits are the same.
type outer struct {
	x    *table.Form
	gemm func(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)
	few  *blocked
}

var (
	q4SME2  = outer{x: &outerCrossForm, gemm: gemmQ4SME2, few: &q4I8mm}
	q8SME2  = outer{x: &outerForm, gemm: gemmQ8SME2, few: &q8I8mm}
	q4KSME2 = outer{x: &outerWideForm, gemm: gemmQ4KSME2, few: &q4KI8mm}
	q6KSME2 = outer{x: &outerWideForm, gemm: gemmQ6KSME2, few: &q6KI8mm}
)

// run is table.QuantMatMul.Run for activations in the form x.
func (o *outer) run(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	many := n
	if n%groupRows < outerRows {
		many -= n % groupRows
	}
	if many > 0 {
		before := holdSignals()
		o.gemm(&dst[0], ldd, &w[0], tiles, &q[0], k/o.few.dtype.BlockElems(), many)
		releaseSignals(before)
	}
	if many < n {
		o.few.run(dst[many*ldd:], ldd, w, tiles, q[many*o.x.RowBytes(k):], n-many, k)
	}
}

// matMulF16F32SME2 leaves a last group of less than outerRows rows to the kernels of i8mm.
func matMulF16F32SME2(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	many := n
	if n%groupRows < outerRows {
		many -= n % groupRows
	}
	if many > 0 && k > 0 {
		before := holdSignals()
		gemmF16SME2(&dst[0], ldd, &w[0], tiles, &x[0], k, many)
		releaseSignals(before)
		dst, x, n = dst[min(many*ldd, len(dst)):], x[many*k:], n-many
	}
	if n > 0 {
		f16I8mm.run(dst, ldd, w, tiles, x, n, k)
	}
}

// streamingBytes returns the bytes of a vector in streaming mode. Only processors with SME know the instruction.
func streamingBytes() int

// vectorLengthKnown reports whether the kernels work with this processor's vectors, of which a tile of 16 rows takes one or more.
func vectorLengthKnown() bool { return streamingBytes() <= 4*tileRows }

// gemmQ4SME2 multiplies tiles tiles with rows rows of activations in outerCrossForm, in groups that all have outerRows rows or
// more: dst[i*ldd+r], as gemmQ4I8mm16 does.
//
//go:noescape
func gemmQ4SME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)

// gemmQ8SME2 is gemmQ4SME2 for activations in outerForm, as gemmQ8I8mm16 does.
//
//go:noescape
func gemmQ8SME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)

// gemmQ4KSME2 is gemmQ4SME2 for activations in outerWideForm, as gemmQ4KI8mm does.
//
//go:noescape
func gemmQ4KSME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)

//go:noescape
func gemmQ6KSME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)

// gemmF16SME2 multiplies tiles tiles with rows rows of activations, as gemvF16Neon does with each. k ≥ 1.
//
//go:noescape
func gemmF16SME2(dst *float32, ldd int, w *byte, tiles int, x *float32, k, rows int)
