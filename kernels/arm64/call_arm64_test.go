package arm64

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// TestCall makes one call of each kernel of medium size, for TestCost to measure.
func TestCall(t *testing.T) {
	const k, tiles = 2048, 1
	product := func(d tensor.DType, set *table.Kernels, n int) func(t *testing.T) {
		p := set.MatMul[d]
		return func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			_, packed := weights(rng, d, tiles*tileRows, k)
			p.Run(make([]float32, n*tiles*tileRows), tiles*tileRows, packed, tiles, quantized(p.Form, normal(rng, n*k), n, k), n, k)
		}
	}
	f16 := func(set *table.Kernels, n int) func(t *testing.T) {
		return func(t *testing.T) {
			x, w := normal(rand.New(rand.NewPCG(1, 2)), n*k), make([]byte, tiles*tileRows*2*k)
			set.MatMulF16F32(make([]float32, n*tiles*tileRows), tiles*tileRows, w, tiles, x, n, k)
		}
	}
	f32 := func(n int) func(t *testing.T) {
		return func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			matMulF32F32Neon(make([]float32, n*tileRows), tileRows, normal(rng, tileRows*k), tileRows, normal(rng, n*k), n, k)
		}
	}
	// Long enough that the loop over blocks turns more often than those inside it, here and of K-quants.
	long := func(d tensor.DType, set *table.Kernels) func(t *testing.T) {
		p := set.MatMul[d]
		const k, n = 24 * 256, 16
		return func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			_, packed := weights(rng, d, tileRows, k)
			p.Run(make([]float32, n*tileRows), tileRows, packed, 1, quantized(p.Form, normal(rng, n*k), n, k), n, k)
		}
	}
	fp16 := func(tiles, n int) func(t *testing.T) {
		const k = 32 * 128
		return func(t *testing.T) {
			x, w := normal(rand.New(rand.NewPCG(1, 2)), n*k), make([]byte, tiles*tileRows*2*k)
			p := fp16Set.MatMul[tensor.F16]
			p.Run(make([]float32, n*tiles*tileRows), tiles*tileRows, w, tiles, quantized(p.Form, x, n, k), n, k)
		}
	}
	unpacked := func(set *table.Kernels, layout table.Layout, n int) func(t *testing.T) {
		p := set.MatMulUnpacked[layout]
		return func(t *testing.T) {
			w := make([]byte, k/32*layout.BlockBytes())
			p.Run(make([]float32, n*tileRows), tileRows, w, 1, quantized(p.Form, normal(rand.New(rand.NewPCG(1, 2)), n*k), n, k), n, k)
		}
	}
	unpack := func(all map[tensor.DType]table.Unpacker, d tensor.DType) func(t *testing.T) {
		return func(t *testing.T) {
			_, packed := weights(rand.New(rand.NewPCG(1, 2)), d, tileRows, k)
			all[d].Run(make([]byte, k/32*all[d].Layout.BlockBytes()), packed)
		}
	}
	attention := func(f func(rng *rand.Rand, half []uint16, float []float32)) func(t *testing.T) {
		return func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			f(rng, make([]uint16, 64*128), normal(rng, 64*128))
		}
	}
	scoresQ8 := func(f func([]float32, int, []int8, int, int, []int8, int, []float32, int)) func(t *testing.T) {
		return func(*testing.T) {
			f(make([]float32, 4*64), 64, make([]int8, 4*128), 4, 128, make([]int8, 64*128), 64, make([]float32, 4*64+3), 64)
		}
	}
	for _, c := range []struct {
		name string
		call func(t *testing.T)
	}{
		{"gemvQ4Neon", product(tensor.Q4_0, &neonSet, 1)},
		{"gemvQ8Neon", product(tensor.Q8_0, &neonSet, 1)},
		{"gemvQ4KNeon", product(tensor.Q4_K, &neonSet, 1)},
		{"gemvQ6KNeon", product(tensor.Q6_K, &neonSet, 1)},
		{"gemvQ4Dotprod", product(tensor.Q4_0, &dotprodSet, 1)},
		{"gemmQ4Dotprod16", product(tensor.Q4_0, &dotprodSet, 16)},
		{"gemmQ4Dotprod4", product(tensor.Q4_0, &dotprodSet, 4)},
		{"gemvQ8Dotprod", product(tensor.Q8_0, &dotprodSet, 1)},
		{"gemmQ8Dotprod16", product(tensor.Q8_0, &dotprodSet, 16)},
		{"gemvQ4KDotprod", product(tensor.Q4_K, &dotprodSet, 1)},
		{"gemvQ6KDotprod", product(tensor.Q6_K, &dotprodSet, 1)},
		{"gemmQ4KDotprod", long(tensor.Q4_K, &dotprodSet)},
		{"gemmQ6KDotprod", long(tensor.Q6_K, &dotprodSet)},
		{"gemvQ4I8mm", product(tensor.Q4_0, &i8mmSet, 1)},
		{"gemmQ4I8mm16", product(tensor.Q4_0, &i8mmSet, 16)},
		{"gemmQ4I8mm4", product(tensor.Q4_0, &i8mmSet, 4)},
		{"gemmQ4I8mm2", product(tensor.Q4_0, &i8mmSet, 2)},
		{"gemmQ4KI8mm", long(tensor.Q4_K, &i8mmSet)},
		{"gemmQ6KI8mm", long(tensor.Q6_K, &i8mmSet)},
		{"gemmQ8I8mm16", product(tensor.Q8_0, &i8mmSet, 16)},
		{"gemvUnpackedNeon", unpacked(&neonSet, table.Signed, 1)},
		{"gemvUnpackedDotprod", unpacked(&dotprodSet, table.Signed, 1)},
		{"gemmUnpackedDotprod16", unpacked(&dotprodSet, table.Signed, 16)},
		{"gemvMinimaDotprod", unpacked(&dotprodSet, table.Minima, 1)},
		{"gemmMinimaDotprod16", unpacked(&dotprodSet, table.Minima, 16)},
		{"gemmUnpackedI8mm16", unpacked(&i8mmSet, table.Signed, 16)},
		{"gemvPairsDotprod", unpacked(&i8mmSet, table.MinimaPairs, 1)},
		{"gemmMinimaI8mm16", unpacked(&i8mmSet, table.MinimaPairs, 16)},
		{"unpackNibblesNeon", unpack(unpackNeon, tensor.IQ4_NL)},
		{"unpackMXFP4Neon", unpack(unpackNeon, tensor.MXFP4)},
		{"unpackIQ4XSNeon", unpack(unpackNeon, tensor.IQ4_XS)},
		{"unpackQ3KNeon", unpack(unpackNeon, tensor.Q3_K)},
		{"unpackQ5KNeon", unpack(unpackNeon, tensor.Q5_K)},
		{"unpackQ5KPairsNeon", unpack(unpackI8mm, tensor.Q5_K)},
		{"unpackIQ3XXSNeon", unpack(unpackNeon, tensor.IQ3_XXS)},
		{"unpackIQ3SNeon", unpack(unpackNeon, tensor.IQ3_S)},
		{"gemvF16Neon", f16(&neonSet, 1)},
		{"gemmF16Neon16", f16(&neonSet, 16)},
		{"gemmF16Neon4", f16(&neonSet, 4)},
		{"gemvF16I8mm", f16(&i8mmSet, 1)},
		{"gemmF16I8mm16", f16(&i8mmSet, 16)},
		{"gemmF16I8mm4", f16(&i8mmSet, 4)},
		{"gemvF16Fp16Tiles4", fp16(4, 1)},
		{"gemmF16Fp16Rows4", fp16(1, 4)},
		{"gemmF16Fp16Rows2", fp16(1, 2)},
		{"gemmF16Fp16Rows1", fp16(1, 1)},
		{"gemmF32Neon4x4", f32(4)},
		{"gemvF32Neon8", f32(1)},
		{"scoresF16x4Neon", attention(func(rng *rand.Rand, half []uint16, _ []float32) {
			attentionScoresF16Neon(make([]float32, 4*64), 64, normal(rng, 4*128), 4, 128, half, 64, 1)
		})},
		{"scoresF32x4Neon", attention(func(rng *rand.Rand, _ []uint16, float []float32) {
			attentionScoresF32Neon(make([]float32, 4*64), 64, normal(rng, 4*128), 4, 128, float, 64, 1)
		})},
		{"valuesF16x4Neon", attention(func(rng *rand.Rand, half []uint16, _ []float32) {
			attentionValuesF16Neon(normal(rng, 4*128), normal(rng, 4*64), 64, 4, 128, half, 64)
		})},
		{"valuesF32x4Neon", attention(func(rng *rand.Rand, _ []uint16, float []float32) {
			attentionValuesF32Neon(normal(rng, 4*128), normal(rng, 4*64), 64, 4, 128, float, 64)
		})},
		{"scoresQ8x4Neon", scoresQ8(attentionScoresQ8Neon)},
		{"scoresQ8x4Dotprod", scoresQ8(attentionScoresQ8Dotprod)},
		{"valuesQ8x4Neon", attention(func(rng *rand.Rand, _ []uint16, _ []float32) {
			attentionValuesQ8Neon(normal(rng, 4*128), normal(rng, 4*4*64), 64, 4, 128, make([]uint8, 64*128), 64)
		})},
		{"valuesQ4x4Neon", attention(func(rng *rand.Rand, _ []uint16, _ []float32) {
			attentionValuesQ4Neon(normal(rng, 4*128), normal(rng, 4*4*64), 64, 4, 128, make([]uint8, 64*128/2), 64)
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.name, "Dotprod") && !hasDotprod() || strings.Contains(c.name, "I8mm") && !hasI8mm() ||
				strings.Contains(c.name, "Fp16") && !cpu.ARM64.HasASIMDHP {
				t.Skip("the processor lacks an instruction")
			}
			c.call(t)
		})
	}
}
