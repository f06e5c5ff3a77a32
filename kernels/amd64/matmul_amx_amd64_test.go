//go:build !purego

package amd64

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// TestTileShapes holds the configuration to what the processor reads: offsets in bytes, and shapes of at most 16 rows of 64.
func TestTileShapes(t *testing.T) {
	if size := unsafe.Sizeof(tileShapes{}); size != 64 {
		t.Fatalf("the configuration has %d bytes, want 64", size)
	}
	for columns, shapes := range map[int]*[table.GroupRows + 1]tileShapes{32: &shapes32, 16: &shapes16} {
		for rows := 1; rows <= table.GroupRows; rows++ {
			b := (*[64]byte)(unsafe.Pointer(&shapes[rows]))
			want := make([]byte, 64)
			want[0] = 1
			for i, shape := range [8][2]int{
				{rows, 64}, {rows, 64}, {rows, 64}, {rows, 64}, {rows, columns}, {rows, columns}, {columns / 4, 64}, {columns / 4, 64},
			} {
				want[48+i] = byte(shape[0])
				binary.LittleEndian.PutUint16(want[16+2*i:], uint16(shape[1]))
			}
			if !slices.Equal(b[:], want) {
				t.Errorf("%d rows of %d columns:\n%v, want\n%v", rows, columns, b, want)
			}
		}
	}
}

func skipWithoutAmx(t *testing.T) {
	t.Helper()
	if !slices.ContainsFunc(Sets(), func(s table.Kernels) bool { return s.Name == amx.Name }) {
		t.Skip("no AMX on this processor, or no permission to use it")
	}
}

// TestAmxEqualsAvx512: the set amx uses AVX-512 for few rows, so that both must give the same bits for all numbers of rows.
func TestAmxEqualsAvx512(t *testing.T) {
	skipWithoutAmx(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for d, got := range amx.MatMul {
		want := avx512.MatMul[d]
		t.Run(fmt.Sprintf("fmt=%v", d), func(t *testing.T) {
			for n := 1; n <= 2*table.GroupRows+1; n++ {
				for _, k := range []int{32, 64, 96, 128, 160, 256, 288, 768} {
					if k%d.BlockElems() != 0 {
						continue
					}
					const tiles = 3
					w := randomTiles(rng, d, tiles, k)
					q := quantizedRows(rng, n, k)
					const ldd = tiles*tensor.TileRows + 5
					a, b := slices.Repeat([]float32{-1}, n*ldd), slices.Repeat([]float32{-1}, n*ldd)
					want.Run(a, ldd, w, tiles, q, n, k)
					got.Run(b, ldd, w, tiles, q, n, k)
					if !slices.Equal(a, b) {
						t.Fatalf("n=%d k=%d: got %v, want %v", n, k, b, a)
					}
				}
			}
		})
	}
}

// randomTiles returns packed tiles of random quants whose scales are finite.
func randomTiles(rng *rand.Rand, d tensor.DType, tiles, k int) []byte {
	rows := tiles * tensor.TileRows
	return blocktest.Pack(blocktest.Random(rng, d, rows, k, func() float32 { return float32(rng.NormFloat64() * 0.02) }), d, rows, k).Data
}

// quantizedRows returns n rows of random activations in the form q8x16.
func quantizedRows(rng *rand.Rand, n, k int) []byte {
	x := make([]float32, n*k)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	q := make([]byte, n*q8x16RowBytes(k))
	for i := 0; i < n; i += table.GroupRows {
		rows := min(table.GroupRows, n-i)
		quantizeQ8x16(q[i*q8x16RowBytes(k):], x[i*k:], rows, k)
	}
	return q
}

// TestAmxInterrupted runs kernels of different shapes on several threads while the garbage collector sends them signals: the
// system has to keep the tile registers of each.
func TestAmxInterrupted(t *testing.T) {
	skipWithoutAmx(t)
	const tiles, k, ldd = 4, 1024, 4 * tensor.TileRows
	rng := rand.New(rand.NewPCG(3, 4))
	var wg sync.WaitGroup
	var running atomic.Int32
	for i, d := range slices.Sorted(maps.Keys(amx.MatMul)) {
		n := table.GroupRows - i
		w, q := randomTiles(rng, d, tiles, k), quantizedRows(rng, n, k)
		want, got := make([]float32, n*ldd), make([]float32, n*ldd)
		avx512.MatMul[d].Run(want, ldd, w, tiles, q, n, k)
		running.Add(1)
		wg.Go(func() {
			defer running.Add(-1)
			for range 200 {
				clear(got)
				amx.MatMul[d].Run(got, ldd, w, tiles, q, n, k)
				if !slices.Equal(got, want) {
					t.Errorf("%v: got %v, want %v", d, got, want)
					return
				}
			}
		})
	}
	for running.Load() > 0 {
		runtime.GC()
	}
	wg.Wait()
}
