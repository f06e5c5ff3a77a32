//go:build !purego

package amd64

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/lever-go/lever/kernels/internal/table"
)

// TestWalk checks that every pair of a tile and a row is visited once, tiles in stretches that fit in the cache.
func TestWalk(t *testing.T) {
	walks := map[string]func(tiles, tileBytes, n int, f func(tile, row, rows int)){"tiles": walkTiles, "pairs": walkPairs}
	limits := map[string]int{"tiles": table.GroupRows, "pairs": 2}
	for name, walk := range walks {
		for _, tileBytes := range []int{1, 100 << 10, 1 << 20} {
			for _, tiles := range []int{1, 3, 7} {
				for n := 1; n < 40; n++ {
					seen := make([]int, tiles*n)
					walk(tiles, tileBytes, n, func(tile, row, rows int) {
						if rows < 1 || rows > limits[name] {
							t.Fatalf("%s: %d rows at once", name, rows)
						}
						for i := row; i < row+rows; i++ {
							seen[tile*n+i]++
						}
					})
					for i, times := range seen {
						if times != 1 {
							t.Fatalf("%s: %d tiles of %d bytes, n=%d: tile %d, row %d visited %d times", name, tiles, tileBytes, n, i/n, i%n, times)
						}
					}
				}
			}
		}
	}
}

// TestRecordSums checks the fields of the form q8x16 that only the kernels read.
func TestRecordSums(t *testing.T) {
	if len(Sets()) < 2 {
		t.Skip("no AVX-512 with VNNI on this processor")
	}
	const rows, k = 3, 96
	x := make([]float32, rows*k)
	for i := range x {
		x[i] = float32(i%37) - 15 + float32(i/32)
	}
	x[40] = float32(math.Inf(1))
	q := make([]byte, rows*q8x16RowBytes(k))
	quantizeQ8x16(q, x, rows, k)
	for b := 0; b < len(q); b += recordBytes {
		var half [2]int32
		for c := range 32 {
			half[c/16] += int32(int8(q[b+c]))
		}
		for i, want := range []int32{-128 * (half[0] + half[1]), -32 * half[0], -32 * half[1]} {
			if got := int32(binary.LittleEndian.Uint32(q[b+36+4*i:])); got != want {
				t.Errorf("record %d: sum %d = %d, want %d", b/recordBytes, i, got, want)
			}
		}
	}
}
