package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// benchShapes are rows × columns: the demo target's matrices, one that fits in L1, one far beyond the last cache.
var benchShapes = [][2]int{{32, 384}, {384, 384}, {1024, 384}, {384, 1024}, {4096, 384}, {4096, 4096}, {14336, 4096}}

func BenchmarkMatMul(b *testing.B) {
	for _, d := range packedTypes {
		for _, n := range []int{1, 4, 8, 16, 64} {
			for _, shape := range benchShapes {
				for _, set := range kernels.AllSets() {
					for _, threads := range []int{1, 2} {
						rows, k := shape[0], shape[1]
						if k%d.BlockElems() != 0 || threads > 1 && rows*k < 1<<22 || set.Name() == "ref" && n*rows*k > 1<<24 {
							continue
						}
						name := fmt.Sprintf("fmt=%v/n=%d/shape=%dx%d/impl=%s/threads=%d", d, n, rows, k, set.Name(), threads)
						b.Run(name, func(b *testing.B) { benchMatMul(b, d, rows, k, n, set, threads) })
					}
				}
			}
		}
	}
}

func benchMatMul(b *testing.B, d tensor.DType, rows, k, n int, set *kernels.Set, threads int) {
	w := benchMatrix(d, rows, k)
	x := normal(rand.New(rand.NewPCG(1, 2)), n*k)
	dst := make([]float32, n*rows)
	pool := kerneltest.Pool(b, set, threads)
	var in kernels.Input
	b.SetBytes(int64(len(w.Data) + 4*n*(rows+k)))
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(x, n, k)
		kernels.MatMul(pool, dst, rows, w, &in)
	}
	b.ReportMetric(2*float64(rows)*float64(k)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// benchMatrix is a matrix whose few distinct rows are cheap to make.
func benchMatrix(d tensor.DType, rows, k int) tensor.Packed {
	tile, _ := randomMatrix(rand.New(rand.NewPCG(1, 2)), d, tensor.TileRows, k)
	w := tensor.Packed{Type: d, Rows: rows, Cols: k, Data: make([]byte, 0, tensor.PackedBytes(d, rows, k))}
	for range rows / tensor.TileRows {
		w.Data = append(w.Data, tile.Data...)
	}
	return w
}
