//go:build !purego

package amd64

import (
	"golang.org/x/sys/cpu"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// Sets returns the sets that this processor can run, from the plainest to the fastest.
func Sets() []table.Kernels {
	var sets []table.Kernels
	x := cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		sets = append(sets, avx2)
	}
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI && x.HasBMI2 {
		sets = append(sets, avx512)
		if x.HasAMXTile && x.HasAMXInt8 && permitTiles() {
			sets = append(sets, amx)
		}
	}
	return sets
}

// avx2 needs AVX2, FMA and F16C.
var avx2 = table.Kernels{
	Name: "avx2",
	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: productAvx2(tensor.Q4_0, tileQ4Avx2),
		tensor.Q8_0: productAvx2(tensor.Q8_0, tileQ8Avx2),
		tensor.Q4_K: productAvx2(tensor.Q4_K, tileQ4KAvx2),
		tensor.Q6_K: productAvx2(tensor.Q6_K, tileQ6KAvx2),
	},
	Unpack:         unpackAvx2,
	MatMulUnpacked: matMulUnpackedAvx2,
	MatMulF16F32:   matMulF16F32Avx2,
	MatMulF32F32:   matMulF32F32Avx2,

	AttentionScoresF16: attentionScoresF16Avx2,
	AttentionScoresF32: attentionScoresF32Avx2,
	AttentionValuesF16: attentionValuesF16Avx2,
	AttentionValuesF32: attentionValuesF32Avx2,
	AttentionScoresQ8:  attentionScoresQ8Avx2,
	AttentionValuesQ8:  attentionValuesQ8Avx2,
	AttentionValuesQ4:  attentionValuesQ4Avx2,

	RMSNorm:      rmsNormAvx2,
	Add:          addAvx2,
	Mul:          mulAvx2,
	Scale:        scaleAvx2,
	SiLU:         siluAvx2,
	SiLUMul:      siluMulAvx2,
	RoPEHalves:   ropeHalvesAvx2,
	RoPEAdjacent: ropeAdjacentAvx2,

	Max:        maxAvx2,
	ExpSum:     expSumAvx2,
	Argmax:     argmaxAvx2,
	IndexAbove: indexAboveAvx2,

	F16ToF32:  f16ToF32Avx2,
	F32ToF16:  f32ToF16Avx2,
	BF16ToF32: bf16ToF32Avx2,
	F32ToBF16: f32ToBF16Avx2,
}

// avx512 needs F, BW, DQ, VL and VNNI.
var avx512 = table.Kernels{
	Name: "avx512",
	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: productAvx512(tensor.Q4_0, tileQ4Avx512),
		tensor.Q8_0: productAvx512(tensor.Q8_0, tileQ8Avx512),
		tensor.Q4_K: productAvx512(tensor.Q4_K, tileQ4KAvx512),
		tensor.Q6_K: productAvx512(tensor.Q6_K, tileQ6KAvx512),
	},
	MatMulF16F32: matMulF16F32Avx512,
	MatMulF32F32: matMulF32F32Avx512,

	AttentionScoresF16: attentionScoresF16Avx512,
	AttentionScoresF32: attentionScoresF32Avx512,
	AttentionValuesF16: attentionValuesF16Avx512,
	AttentionValuesF32: attentionValuesF32Avx512,

	RMSNorm:      rmsNormAvx512,
	Add:          addAvx512,
	Mul:          mulAvx512,
	Scale:        scaleAvx512,
	SiLU:         siluAvx512,
	SiLUMul:      siluMulAvx512,
	RoPEHalves:   ropeHalvesAvx512,
	RoPEAdjacent: ropeAdjacentAvx512,

	Max:        maxAvx512,
	ExpSum:     expSumAvx512,
	Argmax:     argmaxAvx512,
	IndexAbove: indexAboveAvx512,

	F16ToF32:  f16ToF32Avx512,
	F32ToF16:  f32ToF16Avx512,
	BF16ToF32: bf16ToF32Avx512,
	F32ToBF16: f32ToBF16Avx512,
}

// amx needs what avx512 needs, AMX-TILE, AMX-INT8 and the permission of the operating system.
var amx = table.Kernels{
	Name: "amx",
	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: productAmx(tensor.Q4_0, &shapes32, tilesQ4Amx, tileQ4Avx512),
		tensor.Q8_0: productAmx(tensor.Q8_0, &shapes32, tilesQ8Amx, tileQ8Avx512),
		tensor.Q4_K: productAmx(tensor.Q4_K, &shapes32, tilesQ4KAmx, tileQ4KAvx512),
		tensor.Q6_K: productAmx(tensor.Q6_K, &shapes16, tilesQ6KAmx, tileQ6KAvx512),
	},
}
