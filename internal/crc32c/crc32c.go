// Package crc32c computes CRC-32C (Castagnoli) checksums of memory that is in no cache, such as what a device has just written.
//
//	sum := crc32c.Checksum(segment)
//
// The results are those of [hash/crc32], which reads three places at once, 8 bytes at a time, and then waits for memory: on a core of Zen 5
// it checks 24 GB/s in the L2 cache, but 10 from DRAM. On processors with VPCLMULQDQ, Checksum goes from one end to the
// other as fast as such a core can read (28 GB/s from DRAM; prefetching by software makes that no faster), and on Zen 3, with 256-bit registers, twice
// as fast as hash/crc32. On others it is hash/crc32.
package crc32c

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of data.
func Checksum(data []byte) uint32 {
	if !canFold || len(data) < minFold {
		return crc32.Checksum(data, castagnoli)
	}
	n := len(data) / blockSize * blockSize
	return crc32.Update(fold(data[:n], &foldBy), castagnoli, data[n:])
}

const (
	blockSize = 256           // bytes that fold takes in at once
	shift     = 8 * blockSize // bits from a block to the next
	minFold   = 4096          // bytes from which on to fold; in the L1 cache these take 0.6 of the time of hash/crc32
)

// foldBy holds the factors that move the halves of 16 bytes on by one block: 16 bytes are the polynomial a·x^64 + b, of which a is the
// first half, and a·x^(64+shift) + b·x^shift has the same remainder as they have in front of a block. The carry-less product of two
// 64-bit registers, whose lowest bit is the highest power, is one power too high, which the factors make up for.
//
// V. Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction, Intel, 2009.
var foldBy = [2]uint64{power(64 + shift - 1), power(shift - 1)}

// power returns the remainder of x^n as a register whose lowest bit is x^63.
func power(n int) uint64 { return uint64(remainder(n)) << 32 }

// remainder returns the remainder of x^n as a register whose lowest bit is x^31.
func remainder(n int) uint32 {
	const one = 1 << 31
	r, square := uint32(one), uint32(one>>1)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			r = times(r, square)
		}
		square = times(square, square)
	}
	return r
}

// times returns the remainder of a product.
func times(a, b uint32) (product uint32) {
	for ; b != 0; b <<= 1 { // whose highest bit is that of the lowest power
		if b>>31 != 0 {
			product ^= a
		}
		a = a>>1 ^ a&1*crc32.Castagnoli
	}
	return product
}

// Shift returns what the checksum of a part of a text, behind which n bytes follow, contributes to the checksum of the text, which is the sum of all
// contributions, by exclusive or. It takes microseconds.
func Shift(sum uint32, n int) uint32 { return times(sum, remainder(8*n)) }
