package arm64

import (
	"runtime"

	"golang.org/x/sys/cpu"

	"github.com/lever-go/lever/kernels/internal/table"
)

// Sets returns the sets that this processor can run, from the plainest to the fastest.
func Sets() []table.Kernels {
	sets := []table.Kernels{neonSet}
	if hasDotprod() {
		sets = append(sets, dotprodSet)
		if hasI8mm() {
			sets = append(sets, i8mmSet)
		}
	}
	if cpu.ARM64.HasASIMDHP {
		sets = append(sets, fp16Set)
	}
	return sets
}

// hasDotprod reports whether the processor has SDOT. Every Mac has, though the first releases of macOS for arm64 do not say.
func hasDotprod() bool { return cpu.ARM64.HasASIMDDP || runtime.GOOS == "darwin" }

// hasI8mm reports whether the processor has SMMLA and, as all of those do, FMLAL.
func hasI8mm() bool { return cpu.ARM64.HasI8MM && cpu.ARM64.HasASIMDFHM }

var neonSet = table.Kernels{
	Name: "neon",

	MatMulQ4Q8:  table.QuantMatMul{Form: &rowForm, Run: matMulQ4Q8Neon},
	MatMulQ8Q8:  table.QuantMatMul{Form: &rowForm, Run: matMulQ8Q8Neon},
	MatMulQ4KQ8: table.QuantMatMul{Form: &wideForm, Run: matMulQ4KQ8Neon},
	MatMulQ6KQ8: table.QuantMatMul{Form: &wideForm, Run: matMulQ6KQ8Neon},

	MatMulF16F32: matMulF16F32Neon,
	MatMulF32F32: matMulF32F32Neon,

	AttentionScoresF16: attentionScoresF16Neon,
	AttentionScoresF32: attentionScoresF32Neon,
	AttentionValuesF16: attentionValuesF16Neon,
	AttentionValuesF32: attentionValuesF32Neon,

	RMSNorm:      rmsNormNeon,
	Add:          addNeon,
	Mul:          mulNeon,
	Scale:        scaleNeon,
	SiLU:         siluNeon,
	SiLUMul:      siluMulNeon,
	RoPEHalves:   ropeHalvesNeon,
	RoPEAdjacent: ropeAdjacentNeon,
	Max:          maxNeon,
	ExpSum:       expSumNeon,
	Argmax:       argmaxNeon,
	IndexAbove:   indexAboveNeon,
	F16ToF32:     f16ToF32Neon,
	F32ToF16:     f32ToF16Neon,
	BF16ToF32:    bf16ToF32Neon,
	F32ToBF16:    f32ToBF16Neon,
}

var dotprodSet = table.Kernels{
	Name: "dotprod",

	MatMulQ4Q8:  table.QuantMatMul{Form: &rowForm, Run: matMulQ4Q8Dotprod},
	MatMulQ8Q8:  table.QuantMatMul{Form: &rowForm, Run: matMulQ8Q8Dotprod},
	MatMulQ4KQ8: table.QuantMatMul{Form: &wideForm, Run: matMulQ4KQ8Dotprod},
	MatMulQ6KQ8: table.QuantMatMul{Form: &wideForm, Run: matMulQ6KQ8Dotprod},
}

var i8mmSet = table.Kernels{
	Name: "i8mm",

	MatMulQ4Q8: table.QuantMatMul{Form: &crossForm, Run: matMulQ4Q8I8mm},
	MatMulQ8Q8: table.QuantMatMul{Form: &pairForm, Run: matMulQ8Q8I8mm},

	MatMulQ4KQ8: table.QuantMatMul{Form: &wideForm, Run: matMulQ4KQ8I8mm},
	MatMulQ6KQ8: table.QuantMatMul{Form: &wideForm, Run: matMulQ6KQ8I8mm},

	MatMulF16F32: matMulF16F32I8mm,
}

var fp16Set = table.Kernels{
	Name:   "fp16",
	ByName: true,

	MatMulF16F16: table.QuantMatMul{Form: &halfForm, Run: matMulF16F16Fp16},
}
