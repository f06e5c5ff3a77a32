package crc32c

import (
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/lever-go/lever/internal/offheap"
)

// BenchmarkChecksum goes through memory in steps of up to 4 MiB, again and again. The smallest fits in a core's L1 cache, the next in L2, and
// the largest is read from DRAM.
func BenchmarkChecksum(b *testing.B) {
	for _, total := range []int{4 << 10, 256 << 10, 4 << 20, 512 << 20} {
		mem, free, err := offheap.Alloc(total)
		if err != nil {
			b.Fatal(err)
		}
		for i := range mem {
			mem[i] = byte(i * i >> 8)
		}
		for _, impl := range []struct {
			name     string
			checksum func([]byte) uint32
		}{
			{"lever", Checksum},
			{"stdlib", func(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }},
		} {
			b.Run(fmt.Sprintf("memory=%d/impl=%s", total, impl.name), func(b *testing.B) {
				size := min(total, 4<<20)
				b.SetBytes(int64(size))
				for at := 0; b.Loop(); at = (at + size) % total {
					impl.checksum(mem[at : at+size])
				}
			})
		}
		if err := free(); err != nil {
			b.Fatal(err)
		}
	}
}
