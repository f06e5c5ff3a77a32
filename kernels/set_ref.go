package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// refSet is the definition of every operation.
var refSet = table.Kernels{
	Name: "ref",

	MatMul:        byFormat((*weightFormat).productRef),
	Dequantize:    byFormat((*weightFormat).rowRef),
	MatMulF16F32:  matMulF16F32Ref,
	DequantizeF16: dequantizeF16Ref,
	MatMulF32F32:  matMulF32F32Ref,

	AttentionScoresF16: attentionScoresF16Ref,
	AttentionScoresF32: attentionScoresF32Ref,
	AttentionValuesF16: attentionValuesF16Ref,
	AttentionValuesF32: attentionValuesF32Ref,
	AttentionScoresQ8:  attentionScoresQ8Ref,
	AttentionValuesQ8:  attentionValuesQ8Ref,
	AttentionValuesQ4:  attentionValuesQ4Ref,
	ByteUnit:           1,

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
