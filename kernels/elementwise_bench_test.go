package kernels_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever/kernels"
)

// Working sets of float operations: one row of a model, in L1, and far more than the last cache.
var benchLengths = []int{4096, 1 << 24}

// BenchmarkRow measures the operations on plain rows.
func BenchmarkRow(b *testing.B) {
	ops := []struct {
		name  string
		bytes int // read and written per element
		run   func(set *kernels.Set, dst, x, y []float32, half []uint16)
	}{
		{"add", 12, func(set *kernels.Set, dst, x, _ []float32, _ []uint16) { set.Add(dst, x) }},
		{"mul", 12, func(set *kernels.Set, dst, x, _ []float32, _ []uint16) { set.Mul(dst, x) }},
		{"scale", 8, func(set *kernels.Set, dst, _, _ []float32, _ []uint16) { set.Scale(dst, 1.0000001) }},
		{"silumul", 12, func(set *kernels.Set, dst, x, y []float32, _ []uint16) { set.SiLUMul(dst, x, y) }},
		{"rmsnorm", 16, func(set *kernels.Set, dst, x, y []float32, _ []uint16) { set.RMSNorm(dst, x, y, 1e-5) }},
		{"softmax", 16, func(set *kernels.Set, dst, x, _ []float32, _ []uint16) { copy(dst, x); set.Softmax(dst) }},
		{"f16tof32", 6, func(set *kernels.Set, dst, _, _ []float32, half []uint16) { set.F16ToF32(dst, half) }},
		{"f32tof16", 6, func(set *kernels.Set, _, x, _ []float32, half []uint16) { set.F32ToF16(half, x) }},
		{"bf16tof32", 6, func(set *kernels.Set, dst, _, _ []float32, half []uint16) { set.BF16ToF32(dst, half) }},
		{"f32tobf16", 6, func(set *kernels.Set, _, x, _ []float32, half []uint16) { set.F32ToBF16(half, x) }},
	}
	for _, op := range ops {
		for _, n := range benchLengths {
			for _, set := range kernels.AllSets() {
				b.Run(fmt.Sprintf("op=%s/n=%d/impl=%s/threads=1", op.name, n, set.Name()), func(b *testing.B) {
					dst, x, y, half := make([]float32, n), normal(newRand(), n), normal(newRand(), n), make([]uint16, n)
					set.F32ToF16(half, x)
					b.SetBytes(int64(op.bytes * n))
					b.ReportAllocs()
					for b.Loop() {
						op.run(set, dst, x, y, half)
					}
				})
			}
		}
	}
}

func BenchmarkRoPE(b *testing.B) {
	for pairing, name := range []string{kernels.PairHalves: "halves", kernels.PairAdjacent: "adjacent"} {
		for _, set := range kernels.AllSets() {
			b.Run(fmt.Sprintf("pairing=%s/heads=32/dim=128/impl=%s/threads=1", name, set.Name()), func(b *testing.B) {
				x, turn := normal(newRand(), 32*128), normal(newRand(), 64)
				for i := range turn {
					turn[i] = 0.7071
				}
				b.SetBytes(int64(8*len(x) + 8*len(turn)))
				for b.Loop() {
					set.RoPE(x, turn, turn, 32, 128, kernels.Pairing(pairing))
				}
			})
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	const vocab = 151936
	for _, set := range kernels.AllSets() {
		x := normal(newRand(), vocab)
		b.Run(fmt.Sprintf("op=argmax/n=%d/impl=%s/threads=1", vocab, set.Name()), func(b *testing.B) {
			b.SetBytes(4 * vocab)
			for b.Loop() {
				set.Argmax(x)
			}
		})
		b.Run(fmt.Sprintf("op=topk/k=64/n=%d/impl=%s/threads=1", vocab, set.Name()), func(b *testing.B) {
			ids, vals := make([]int32, 64), make([]float32, 64)
			b.SetBytes(4 * vocab)
			b.ReportAllocs()
			for b.Loop() {
				set.TopK(ids, vals, x)
			}
		})
	}
}

func BenchmarkDequantizeRow(b *testing.B) {
	for _, d := range packedTypes {
		for _, set := range kernels.AllSets() {
			b.Run(fmt.Sprintf("fmt=%v/k=4096/impl=%s/threads=1", d, set.Name()), func(b *testing.B) {
				w, _ := randomMatrix(newRand(), d, 16, 4096)
				dst := make([]float32, 4096)
				b.SetBytes(int64(d.RowBytes(4096) + 4*4096))
				for b.Loop() {
					set.DequantizeRow(dst, w, 5)
				}
			})
		}
	}
}
