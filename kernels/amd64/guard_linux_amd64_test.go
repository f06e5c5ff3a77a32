//go:build !purego

package amd64

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// guarded returns n elements that end at a page which must not be touched.
func guarded[E any](t *testing.T, n int) []E {
	t.Helper()
	var e E
	size := n * int(unsafe.Sizeof(e))
	page := unix.Getpagesize()
	whole := (size + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, whole+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	if err := unix.Mprotect(mem[whole:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*E)(unsafe.Pointer(&mem[whole-size])), n)
}

// TestGuardPage runs the kernels on memory that ends where every slice ends: a load or store beyond kills the test.
func TestGuardPage(t *testing.T) {
	for _, set := range Sets() {
		t.Run("impl="+set.Name, func(t *testing.T) {
			guardQuantMatMuls(t, set)
			if set.Name == amx.Name {
				return // the rest is avx512's
			}
			guardFloatMatMuls(t, set)
			guardAttention(t, set)
			guardVectors(t, set)
		})
	}
}

func guardQuantMatMuls(t *testing.T, set table.Kernels) {
	for n := 1; n <= 2*table.GroupRows+1; n++ {
		for d, m := range set.MatMul {
			const tiles, k = 2, 256
			w := guarded[byte](t, tiles*tensor.TileBytes(d, k))
			x := guarded[float32](t, n*k)
			q := guarded[byte](t, n*m.Form.RowBytes(k))
			for i := 0; i < n; i += table.GroupRows {
				rows := min(table.GroupRows, n-i)
				m.Form.Quantize(q[i*m.Form.RowBytes(k):], x[i*k:], rows, k)
			}
			m.Run(guarded[float32](t, n*tiles*tensor.TileRows), tiles*tensor.TileRows, w, tiles, q, n, k)
		}
	}
}

func guardFloatMatMuls(t *testing.T, set table.Kernels) {
	for n := 1; n <= 2*table.GroupRows+1; n++ {
		for _, k := range []int{1, 7, 8, 33} {
			w := guarded[byte](t, tensor.TileBytes(tensor.F16, k))
			x := guarded[float32](t, n*k)
			set.MatMulF16F32(guarded[float32](t, n*tensor.TileRows), tensor.TileRows, w, 1, x, n, k)
			set.MatMulF32F32(guarded[float32](t, 3*n), 3, guarded[float32](t, 3*k), 3, x, n, k)
		}
	}
}

func guardAttention(t *testing.T, set table.Kernels) {
	for _, headDim := range []int{3, 8, 24, 64, 80, 96, 128} {
		for heads := 1; heads <= 5; heads++ {
			for keys := 1; keys <= 5; keys++ {
				s, q := guarded[float32](t, heads*keys), guarded[float32](t, heads*headDim)
				kv, kv32 := guarded[uint16](t, keys*headDim), guarded[float32](t, keys*headDim)
				set.AttentionScoresF16(s, keys, q, heads, headDim, kv, keys, 1)
				set.AttentionScoresF32(s, keys, q, heads, headDim, kv32, keys, 1)
				set.AttentionValuesF16(q, s, keys, heads, headDim, kv, keys)
				set.AttentionValuesF32(q, s, keys, heads, headDim, kv32, keys)
				if set.AttentionScoresQ8 == nil || headDim%32 != 0 {
					continue
				}
				blocks := headDim / 32
				q8, scales := guarded[int8](t, heads*headDim), guarded[float32](t, blocks*keys+3)
				set.AttentionScoresQ8(s, keys, q8, heads, headDim, guarded[int8](t, keys*headDim), keys, scales, keys)
				set.AttentionValuesQ8(q, guarded[float32](t, heads*blocks*keys), keys, heads, headDim, guarded[uint8](t, keys*headDim), keys)
				set.AttentionValuesQ4(q, guarded[float32](t, heads*blocks*keys), keys, heads, headDim, guarded[uint8](t, keys*headDim/2), keys)
			}
		}
	}
}

func guardVectors(t *testing.T, set table.Kernels) {
	for n := range 70 {
		a, b, c, h := guarded[float32](t, n), guarded[float32](t, n), guarded[float32](t, n), guarded[uint16](t, n)
		set.Add(a, b)
		set.Mul(a, b)
		set.Scale(a, 2)
		set.SiLU(a, b)
		set.SiLUMul(a, b, c)
		set.RMSNorm(a, b, c, 1)
		set.Max(a)
		set.ExpSum(a, 0)
		set.Argmax(a)
		set.IndexAbove(a, 2)
		set.F32ToF16(h, a)
		set.F16ToF32(a, h)
		set.F32ToBF16(h, a)
		set.BF16ToF32(a, h)

		x := guarded[float32](t, 2*n)
		set.RoPEHalves(x, a, b, 1, 2*n)
		set.RoPEAdjacent(x, a, b, 1, 2*n)
	}
}
