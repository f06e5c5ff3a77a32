package kernels_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// BenchmarkAttention is one query row over a cache that fits in L1, over one that fits in the processor's caches, and over as many of these by turns as
// the layers and heads of a model have, which only memory holds.
func BenchmarkAttention(b *testing.B) {
	const group, headDim, pageLen = 4, 128, 256
	for _, size := range []struct{ keys, caches int }{{32, 1}, {2048, 1}, {2048, 64}} {
		for _, kind := range kinds {
			for _, set := range kernels.AllSets() {
				b.Run(fmt.Sprintf("kv=%v/heads=%d/dim=%d/keys=%d/caches=%d/impl=%s/threads=1", kind, group, headDim, size.keys, size.caches, set.Name()), func(b *testing.B) {
					c := newCache(newRand(), kind, pageLen, pageLen, 1, headDim)
					var caches []*kernels.KV
					for range size.caches { // they share the numbers, not the memory
						kv := c.kv
						n := max(1, size.keys/pageLen)
						kv.K, kv.V = copies(kv.K, n), copies(kv.V, n)
						kv.K32, kv.V32 = copies(kv.K32, n), copies(kv.V32, n)
						kv.K8, kv.V8, kv.V4 = copies(kv.K8, n), copies(kv.V8, n), copies(kv.V4, n)
						kv.KScales, kv.VScales = copies(kv.KScales, n), copies(kv.VScales, n)
						caches = append(caches, &kv)
					}
					q, dst := normal(newRand(), group*headDim), make([]float32, group*headDim)
					var scratch kernels.AttentionScratch
					b.SetBytes(int64(keysOf(kind).RowBytes(size.keys*headDim) + kind.RowBytes(size.keys*headDim)))
					b.ReportAllocs()
					for turn := 0; b.Loop(); turn++ {
						set.Attention(dst, q, caches[turn%len(caches)], 0, group, 0, kernels.Visible{Prefix: size.keys}, 0.088, &scratch)
					}
					b.ReportMetric(4*float64(size.keys*headDim*group)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// keysOf returns the type of the keys beside values of a kind.
func keysOf(kind tensor.DType) tensor.DType {
	if kind == tensor.Q4_0 {
		return tensor.Q8_0
	}
	return kind
}

// copies returns n copies of the one page, if there is one.
func copies[T any](page [][]T, n int) (all [][]T) {
	for _, values := range page {
		for range n {
			all = append(all, slices.Clone(values))
		}
	}
	return all
}
