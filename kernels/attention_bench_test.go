package kernels_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
)

// BenchmarkAttention is one query row over a cache that fits in L1 and one far beyond the last cache.
func BenchmarkAttention(b *testing.B) {
	const group, headDim, pageLen = 4, 128, 256
	for _, keys := range []int{32, 2048, 1 << 17} {
		for _, kind := range kinds {
			for _, set := range kernels.AllSets() {
				b.Run(fmt.Sprintf("kv=%v/heads=%d/dim=%d/keys=%d/impl=%s/threads=1", kind, group, headDim, keys, set.Name()), func(b *testing.B) {
					c := newCache(newRand(), kind, pageLen, pageLen, 1, headDim)
					kv := &c.kv
					for range (keys - 1) / pageLen { // further pages share the numbers, not the memory
						kv.K, kv.V = again(kv.K), again(kv.V)
						kv.K32, kv.V32 = again(kv.K32), again(kv.V32)
						kv.K8, kv.V8 = again(kv.K8), again(kv.V8)
						kv.KScales, kv.VScales = again(kv.KScales), again(kv.VScales)
					}
					q, dst := normal(newRand(), group*headDim), make([]float32, group*headDim)
					var scratch kernels.AttentionScratch
					b.SetBytes(int64(kind.RowBytes(2 * keys * headDim)))
					b.ReportAllocs()
					for b.Loop() {
						set.Attention(dst, q, kv, 0, group, 0, kernels.Visible{Prefix: keys}, 0.088, &scratch)
					}
					b.ReportMetric(4*float64(keys*headDim*group)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// again adds a copy of the first page, if there is one.
func again[T any](pages [][]T) [][]T {
	if len(pages) == 0 {
		return nil
	}
	return append(pages, slices.Clone(pages[0]))
}
