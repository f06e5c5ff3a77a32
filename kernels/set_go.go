package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// goSet is the portable implementation that is tuned; what it lacks, because tuning gains nothing there, it takes from the
// definition.
var goSet = table.Kernels{
	Name: "go",

	MatMul:         byFormat((*weightFormat).productGo),
	Unpack:         unpackersGo(),
	MatMulUnpacked: matMulUnpackedGo,
	Dequantize:     byFormat((*weightFormat).rowGo),
	MatMulF16F32:   matMulF16F32Go,
	DequantizeF16:  dequantizeF16Go,
	MatMulF32F32:   matMulF32F32Go,

	AttentionScoresF16: attentionScoresF16Go,
	AttentionScoresF32: attentionScoresF32Go,
	AttentionValuesF16: attentionValuesF16Go,
	AttentionValuesF32: attentionValuesF32Go,
	AttentionScoresQ8:  attentionScoresQ8Go,
	AttentionValuesQ8:  attentionValuesQ8Go,
	AttentionValuesQ4:  attentionValuesQ4Go,

	RMSNorm:      rmsNormGo,
	SiLU:         siluGo,
	SiLUMul:      siluMulGo,
	RoPEAdjacent: ropeAdjacentGo,
	Max:          maxGo,
	ExpSum:       expSumGo,
	Argmax:       argmaxGo,
	IndexAbove:   indexAboveGo,
	F16ToF32:     f16ToF32Go,
	F32ToF16:     f32ToF16Go,
}
