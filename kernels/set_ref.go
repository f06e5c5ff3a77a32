package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// refSet is the definition of every operation.
var refSet = table.Kernels{
	Name: "ref",

	MatMulQ4Q8:   table.QuantMatMul{Form: &q8Form, Run: matMulQ4Q8Ref},
	MatMulQ8Q8:   table.QuantMatMul{Form: &q8Form, Run: matMulQ8Q8Ref},
	MatMulQ4KQ8:  table.QuantMatMul{Form: &q8Form, Run: matMulQ4KQ8Ref},
	MatMulQ6KQ8:  table.QuantMatMul{Form: &q8Form, Run: matMulQ6KQ8Ref},
	MatMulF16F32: matMulF16F32Ref,
	MatMulF32F32: matMulF32F32Ref,

	DequantizeF16: dequantizeF16Ref,
	DequantizeQ4:  dequantizeQ4Ref,
	DequantizeQ8:  dequantizeQ8Ref,
	DequantizeQ4K: dequantizeQ4KRef,
	DequantizeQ6K: dequantizeQ6KRef,

	AttentionScoresF16: attentionScoresF16Ref,
	AttentionScoresF32: attentionScoresF32Ref,
	AttentionValuesF16: attentionValuesF16Ref,
	AttentionValuesF32: attentionValuesF32Ref,

	RMSNorm:      rmsNormRef,
	Add:          addRef,
	Mul:          mulRef,
	Scale:        scaleRef,
	SiLU:         siluRef,
	SiLUMul:      siluMulRef,
	RoPEHalves:   ropeHalvesRef,
	RoPEAdjacent: ropeAdjacentRef,
	Max:          maxRef,
	ExpSum:       expSumRef,
	Argmax:       argmaxRef,
	IndexAbove:   indexAboveRef,
	F16ToF32:     f16ToF32Ref,
	F32ToF16:     f32ToF16Ref,
	BF16ToF32:    bf16ToF32Ref,
	F32ToBF16:    f32ToBF16Ref,
}
