package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// goSet is the portable implementation that is tuned; what it lacks, because tuning gains nothing there, it takes from the
// definition.
var goSet = table.Kernels{
	Name: "go",

	MatMulQ4Q8:   table.QuantMatMul{Form: &pairsForm, Run: matMulQ4Q8Go},
	MatMulQ8Q8:   table.QuantMatMul{Form: &q8GoForm, Run: matMulQ8Q8Go},
	MatMulQ4KQ8:  table.QuantMatMul{Form: &pairsForm, Run: matMulQ4KQ8Go},
	MatMulQ6KQ8:  table.QuantMatMul{Form: &q8GoForm, Run: matMulQ6KQ8Go},
	MatMulF16F32: matMulF16F32Go,
	MatMulF32F32: matMulF32F32Go,

	DequantizeF16: dequantizeF16Go,
	DequantizeQ4:  dequantizeQ4Go,
	DequantizeQ8:  dequantizeQ8Go,
	DequantizeQ4K: dequantizeQ4KGo,
	DequantizeQ6K: dequantizeQ6KGo,

	AttentionScoresF16: attentionScoresF16Go,
	AttentionScoresF32: attentionScoresF32Go,
	AttentionValuesF16: attentionValuesF16Go,
	AttentionValuesF32: attentionValuesF32Go,

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
