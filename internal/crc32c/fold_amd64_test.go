//go:build !purego

package crc32c

import (
	"hash/crc32"
	"testing"
)

// TestFolds compares the widths of registers that this processor has, of which Checksum uses the largest only.
func TestFolds(t *testing.T) {
	data := randomBytes(64 * blockSize)
	for _, impl := range []struct {
		name      string
		available bool
		fold      func([]byte, *[2]uint64) uint32
	}{{"256", canFold256, fold256}, {"512", canFold512, fold512}} {
		if !impl.available {
			continue
		}
		for n := blockSize; n <= len(data); n += blockSize {
			if sum, want := impl.fold(data[:n], &foldBy), crc32.Checksum(data[:n], castagnoli); sum != want {
				t.Fatalf("%s bits: checksum of %d bytes is %08x, not %08x", impl.name, n, sum, want)
			}
		}
	}
}
