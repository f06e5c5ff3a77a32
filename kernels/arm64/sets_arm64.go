package arm64

import (
	"runtime"

	"golang.org/x/sys/cpu"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// Sets returns the sets that this processor can run, from the plainest to the fastest.
func Sets() []table.Kernels {
	sets := []table.Kernels{neonSet}
	if hasDotprod() {
		sets = append(sets, dotprodSet)
		if hasI8mm() {
			sets = append(sets, i8mmSet)
			if hasSME2() {
				sets = append(sets, sme2Set)
			}
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

	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: {Form: &rowForm, Run: q4Neon.run},
		tensor.Q8_0: {Form: &rowForm, Run: q8Neon.run},
		tensor.Q4_K: {Form: &wideForm, Run: q4KNeon.run},
		tensor.Q6_K: {Form: &wideForm, Run: q6KNeon.run},
	},
	Unpack: unpackNeon,
	MatMulUnpacked: map[table.Layout]table.QuantMatMul{
		table.Signed: {Form: &rowForm, Run: unpackedNeon.run},
		table.Minima: {Form: &rowForm, Run: minimaNeon.run},
	},

	MatMulF16F32: matMulF16F32Neon,
	MatMulF32F32: matMulF32F32Neon,

	AttentionScoresF16: attentionScoresF16Neon,
	AttentionScoresF32: attentionScoresF32Neon,
	AttentionValuesF16: attentionValuesF16Neon,
	AttentionValuesF32: attentionValuesF32Neon,
	AttentionScoresQ8:  attentionScoresQ8Neon,
	AttentionValuesQ8:  attentionValuesQ8Neon,
	AttentionValuesQ4:  attentionValuesQ4Neon,
	ByteUnit:           byteUnit,

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

	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: {Form: &rowForm, Run: q4Dotprod.run},
		tensor.Q8_0: {Form: &rowForm, Run: q8Dotprod.run},
		tensor.Q4_K: {Form: &wideForm, Run: q4KDotprod.run},
		tensor.Q6_K: {Form: &wideForm, Run: q6KDotprod.run},
	},
	MatMulUnpacked: map[table.Layout]table.QuantMatMul{
		table.Signed: {Form: &rowForm, Run: unpackedDotprod.run},
		table.Minima: {Form: &rowForm, Run: minimaDotprod.run},
	},

	AttentionScoresQ8: attentionScoresQ8Dotprod,
}

var i8mmSet = table.Kernels{
	Name: "i8mm",

	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: {Form: &crossForm, Run: q4I8mm.run},
		tensor.Q8_0: {Form: &pairForm, Run: q8I8mm.run},
		tensor.Q4_K: {Form: &wideForm, Run: q4KI8mm.run},
		tensor.Q6_K: {Form: &wideForm, Run: q6KI8mm.run},
	},
	Unpack: unpackI8mm,
	MatMulUnpacked: map[table.Layout]table.QuantMatMul{
		table.Signed:      {Form: &pairForm, Run: unpackedI8mm.run},
		table.MinimaPairs: {Form: &pairForm, Run: minimaI8mm.run},
	},

	MatMulF16F32: matMulF16F32I8mm,
}

var sme2Set = table.Kernels{
	Name:   "sme2",
	ByName: runtime.GOOS == "darwin", // where nobody has run it

	MatMul: map[tensor.DType]table.QuantMatMul{
		tensor.Q4_0: {Form: &outerCrossForm, Run: q4SME2.run},
		tensor.Q8_0: {Form: &outerForm, Run: q8SME2.run},
		tensor.Q4_K: {Form: &outerWideForm, Run: q4KSME2.run},
		tensor.Q6_K: {Form: &outerWideForm, Run: q6KSME2.run},
	},

	MatMulF16F32: matMulF16F32SME2,
}

var fp16Set = table.Kernels{
	Name:   "fp16",
	ByName: true,

	MatMul: map[tensor.DType]table.QuantMatMul{tensor.F16: {Form: &halfForm, Run: matMulF16F16Fp16}},
}
