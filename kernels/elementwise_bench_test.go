package kernels_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
)

// Working sets of float operations: one row of a model, in L1, and far more than the last cache.
var benchLengths = []int{4096, 1 << 24}

// BenchmarkRow measures the operations on plain rows.
func BenchmarkRow(b *testing.B) {
	ops := []struct {
		name  string
		bytes int // read and written per element
		run   func(dst, x, y []float32, half []uint16)
	}{
		{"add", 12, func(dst, x, _ []float32, _ []uint16) { kernels.Add(dst, x) }},
		{"mul", 12, func(dst, x, _ []float32, _ []uint16) { kernels.Mul(dst, x) }},
		{"scale", 8, func(dst, _, _ []float32, _ []uint16) { kernels.Scale(dst, 1.0000001) }},
		{"silumul", 12, func(dst, x, y []float32, _ []uint16) { kernels.SiLUMul(dst, x, y) }},
		{"rmsnorm", 16, func(dst, x, y []float32, _ []uint16) { kernels.RMSNorm(dst, x, y, 1e-5) }},
		{"softmax", 16, func(dst, x, _ []float32, _ []uint16) { copy(dst, x); kernels.Softmax(dst) }},
		{"f16tof32", 6, func(dst, _, _ []float32, half []uint16) { kernels.F16ToF32(dst, half) }},
		{"f32tof16", 6, func(_, x, _ []float32, half []uint16) { kernels.F32ToF16(half, x) }},
		{"bf16tof32", 6, func(dst, _, _ []float32, half []uint16) { kernels.BF16ToF32(dst, half) }},
		{"f32tobf16", 6, func(_, x, _ []float32, half []uint16) { kernels.F32ToBF16(half, x) }},
	}
	for _, op := range ops {
		for _, n := range benchLengths {
			for _, set := range kernels.Sets() {
				b.Run(fmt.Sprintf("op=%s/n=%d/impl=%s/threads=1", op.name, n, set), func(b *testing.B) {
					kerneltest.Use(b, set)
					dst, x, y, half := make([]float32, n), normal(newRand(), n), normal(newRand(), n), make([]uint16, n)
					kernels.F32ToF16(half, x)
					b.SetBytes(int64(op.bytes * n))
					b.ReportAllocs()
					for b.Loop() {
						op.run(dst, x, y, half)
					}
				})
			}
		}
	}
}

func BenchmarkRoPE(b *testing.B) {
	for pairing, name := range []string{kernels.PairHalves: "halves", kernels.PairAdjacent: "adjacent"} {
		for _, set := range kernels.Sets() {
			b.Run(fmt.Sprintf("pairing=%s/heads=32/dim=128/impl=%s/threads=1", name, set), func(b *testing.B) {
				kerneltest.Use(b, set)
				x, turn := normal(newRand(), 32*128), normal(newRand(), 64)
				for i := range turn {
					turn[i] = 0.7071
				}
				b.SetBytes(int64(8*len(x) + 8*len(turn)))
				for b.Loop() {
					kernels.RoPE(x, turn, turn, 32, 128, kernels.Pairing(pairing))
				}
			})
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	const vocab = 151936
	for _, set := range kernels.Sets() {
		x := normal(newRand(), vocab)
		b.Run(fmt.Sprintf("op=argmax/n=%d/impl=%s/threads=1", vocab, set), func(b *testing.B) {
			kerneltest.Use(b, set)
			b.SetBytes(4 * vocab)
			for b.Loop() {
				kernels.Argmax(x)
			}
		})
		b.Run(fmt.Sprintf("op=topk/k=64/n=%d/impl=%s/threads=1", vocab, set), func(b *testing.B) {
			kerneltest.Use(b, set)
			ids, vals := make([]int32, 64), make([]float32, 64)
			b.SetBytes(4 * vocab)
			b.ReportAllocs()
			for b.Loop() {
				kernels.TopK(ids, vals, x)
			}
		})
	}
}

func BenchmarkDequantizeRow(b *testing.B) {
	for _, d := range packedTypes {
		for _, set := range kernels.Sets() {
			b.Run(fmt.Sprintf("fmt=%v/k=4096/impl=%s/threads=1", d, set), func(b *testing.B) {
				kerneltest.Use(b, set)
				w, _ := randomMatrix(newRand(), d, 16, 4096)
				dst := make([]float32, 4096)
				b.SetBytes(int64(d.RowBytes(4096) + 4*4096))
				for b.Loop() {
					kernels.DequantizeRow(dst, w, 5)
				}
			})
		}
	}
}
