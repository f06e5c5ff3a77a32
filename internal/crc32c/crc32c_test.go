package crc32c

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func TestVectors(t *testing.T) {
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i)
	}
	// RFC 3720, B.4, which writes the bytes of a sum from the lowest on.
	for _, v := range []struct {
		data []byte
		want uint32
	}{
		{make([]byte, 32), 0x8a9136aa},
		{bytes.Repeat([]byte{0xff}, 32), 0x62a8ab43},
		{counting, 0x46dd794e},
	} {
		if sum := Checksum(v.data); sum != v.want {
			t.Errorf("checksum of %x is %08x, not %08x", v.data, sum, v.want)
		}
	}
}

// TestLengths compares all short lengths with hash/crc32, at a start that differs from one to the next.
func TestLengths(t *testing.T) {
	random := randomBytes(64 + 4096 + blockSize + 1)
	for n := range len(random) - 64 {
		data := random[n%64:][:n]
		if sum, want := Checksum(data), crc32.Checksum(data, castagnoli); sum != want {
			t.Fatalf("checksum of %d bytes from byte %d on is %08x, not %08x", n, n%64, sum, want)
		}
	}
}

// TestLarge compares large lengths with hash/crc32, and with the checksum of a first part that hash/crc32 goes on from.
func TestLarge(t *testing.T) {
	random := randomBytes(1 << 20)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, 4096).Draw(t, "from")
		data := random[from : from+rapid.IntRange(0, len(random)-from).Draw(t, "n")]
		split := rapid.IntRange(0, len(data)).Draw(t, "split")
		sum, want := Checksum(data), crc32.Checksum(data, castagnoli)
		if sum != want {
			t.Fatalf("checksum is %08x, not %08x", sum, want)
		}
		if sum := crc32.Update(Checksum(data[:split]), castagnoli, data[split:]); sum != want {
			t.Fatalf("checksum of both parts is %08x, not %08x", sum, want)
		}
	})
}

// TestShift compares the checksum of a text with the sum of what its parts contribute.
func TestShift(t *testing.T) {
	random := randomBytes(1 << 16)
	rapid.Check(t, func(t *rapid.T) {
		data, sum := random[:rapid.IntRange(0, len(random)).Draw(t, "n")], uint32(0)
		for from := 0; from < len(data); {
			to := rapid.IntRange(from+1, len(data)).Draw(t, "to")
			sum ^= Shift(Checksum(data[from:to]), len(data)-to)
			from = to
		}
		if want := crc32.Checksum(data, castagnoli); sum != want {
			t.Fatalf("checksum is %08x, not %08x", sum, want)
		}
	})
}

func FuzzChecksum(f *testing.F) {
	for _, n := range []int{0, 1, 255, minFold - 1, minFold, minFold + blockSize + 1} {
		f.Add(randomBytes(n))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if sum, want := Checksum(data), crc32.Checksum(data, castagnoli); sum != want {
			t.Errorf("checksum of %d bytes is %08x, not %08x", len(data), sum, want)
		}
	})
}
