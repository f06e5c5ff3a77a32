//go:build !purego

package crc32c

import "golang.org/x/sys/cpu"

var (
	canFold512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPCLMULQDQ
	canFold256 = cpu.X86.HasAVX2 && cpu.X86.HasSSE42 && hasCarrylessVectors() // HasAVX2 tells that there is leaf 7 of CPUID
	canFold    = canFold512 || canFold256
)

// hasCarrylessVectors reports whether the processor has VPCLMULQDQ. Package cpu tells that only where there is AVX-512.
func hasCarrylessVectors() bool

// fold is crc32.Checksum(data, castagnoli). The length of data is a multiple of blockSize and not 0; by is foldBy. Data needs no alignment.
func fold(data []byte, by *[2]uint64) uint32 {
	if canFold512 {
		return fold512(data, by)
	}
	return fold256(data, by)
}

//go:noescape
func fold512(data []byte, by *[2]uint64) uint32

//go:noescape
func fold256(data []byte, by *[2]uint64) uint32
