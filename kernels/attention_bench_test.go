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
	for _, keys := range []int{32, 1 << 17} {
		for _, f16 := range []bool{true, false} {
			for _, set := range kernels.AllSets() {
				format, elem := "f32", 4
				if f16 {
					format, elem = "f16", 2
				}
				b.Run(fmt.Sprintf("kv=%s/heads=%d/dim=%d/keys=%d/impl=%s/threads=1", format, group, headDim, keys, set.Name()), func(b *testing.B) {
					c := newCache(newRand(), pageLen, pageLen, 1, headDim)
					for range (keys - 1) / pageLen { // further pages share the numbers, not the memory
						page, values := slices.Clone(c.kv.K[0]), slices.Clone(c.kv.V[0])
						page32, values32 := slices.Clone(c.kv.K32[0]), slices.Clone(c.kv.V32[0])
						c.kv.K, c.kv.V = append(c.kv.K, page), append(c.kv.V, values)
						c.kv.K32, c.kv.V32 = append(c.kv.K32, page32), append(c.kv.V32, values32)
					}
					kv := c.as(f16)
					q, dst := normal(newRand(), group*headDim), make([]float32, group*headDim)
					var scratch kernels.AttentionScratch
					b.SetBytes(int64(2 * keys * headDim * elem))
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
