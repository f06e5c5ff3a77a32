//go:build !purego

package amd64

import (
	"golang.org/x/sys/cpu"

	"github.com/lever-go/lever/kernels/internal/table"
)

// Sets returns the sets that this processor can run, from the plainest to the fastest.
func Sets() []table.Kernels {
	var sets []table.Kernels
	x := cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI {
		sets = append(sets, avx512)
	}
	return sets
}

// avx512 needs F, BW, DQ, VL and VNNI.
var avx512 = table.Kernels{
	Name:       "avx512",
	MatMulQ4Q8: table.QuantMatMul{Form: &q8x16, Run: matMulQ4Q8Avx512},
	MatMulQ8Q8: table.QuantMatMul{Form: &q8x16, Run: matMulQ8Q8Avx512},
}
