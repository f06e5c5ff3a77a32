//go:build !purego

package crc32c

import "golang.org/x/sys/cpu"

var canFold = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPCLMULQDQ

// fold is crc32.Checksum(data, castagnoli). The length of data is a multiple of blockSize and not 0; by is foldBy. Data needs no alignment.
//
//go:noescape
func fold(data []byte, by *[2]uint64) uint32
