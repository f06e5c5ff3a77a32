package arm64

import "github.com/lever-go/lever/tensor"

// blocked is a product with quantised weights, put together from kernels for fixed numbers of rows of activations.
type blocked struct {
	dtype tensor.DType // of the weights
	x     *layout
	gemv  func(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
	gemm  []gemm // from many rows to few
	// rows, where there is one, takes any number of rows, in place of gemm, and pairs an even number. It is used from
	// minPairs rows on, where it pays to unpack weights in the way that it needs.
	rows, pairs func(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)
	minPairs    int
}

// gemm multiplies one tile with rows rows: dst[i*ldd+r] for i < rows, r < 16. q is the first row in the first block of
// activations, stride the bytes to the next block, blocks the number of blocks of weights.
type gemm struct {
	rows int
	run  func(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
}

// cacheBytes is how many bytes of weights are taken at a time through all rows of activations: they stay in the second
// cache, beside a group of activations.
const cacheBytes = 128 << 10

// run is table.QuantMatMul.Run for activations in groups as in form_arm64.go.
func (b *blocked) run(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	blocks := k / b.dtype.BlockElems()
	if n == 1 {
		b.gemv(&dst[0], &w[0], tiles, &q[0], b.x.alone, blocks)
		return
	}
	tileBytes := tensor.TileBytes(b.dtype, k)
	step := max(1, cacheBytes/tileBytes)
	for first := 0; first < tiles; first += step {
		last := min(first+step, tiles)
		for row := 0; row < n; row += groupRows {
			rows := min(groupRows, n-row)
			group := q[row*b.x.rowBytes(k):]
			for t := first; t < last; t++ {
				b.group(dst[row*ldd+t*tileRows:], ldd, w[t*tileBytes:], group, rows, blocks)
			}
		}
	}
}

// group multiplies one tile with one group of activations.
func (b *blocked) group(dst []float32, ldd int, tile, q []byte, rows, blocks int) {
	stride := b.x.stride(rows)
	i := 0
	if b.pairs != nil && rows >= b.minPairs {
		i = rows &^ 1
		b.pairs(&dst[0], ldd, &tile[0], &q[0], stride, blocks, i)
	} else if b.rows != nil {
		i = rows
		b.rows(&dst[0], ldd, &tile[0], &q[0], stride, blocks, i)
	}
	for _, g := range b.gemm {
		for ; i+g.rows <= rows; i += g.rows {
			g.run(&dst[i*ldd], ldd, &tile[0], &q[i*b.x.paired], stride, blocks)
		}
	}
	for ; i < rows; i++ {
		b.gemv(&dst[i*ldd], &tile[0], 1, &q[i*b.x.paired], stride, blocks)
	}
}
