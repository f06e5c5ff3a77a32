package kernels

import (
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

func matMulF16F32Go(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	for t := range tiles {
		tile := w[t*k*f16Bytes : (t+1)*k*f16Bytes]
		for i := 0; i < n; i += table.GroupRows {
			rows := min(table.GroupRows, n-i)
			tileF16Go(dst[i*ldd+t*tensor.TileRows:], ldd, tile, x[i*k:(i+rows)*k], rows)
		}
	}
}

func tileF16Go(dst []float32, ldd int, tile []byte, x []float32, rows int) {
	const chunk = 64 // columns converted at a time
	k := len(x) / rows
	var sums rowSums
	var w [chunk]rowFloats
	for first := 0; first < k; first += chunk {
		cols := min(chunk, k-first)
		for c := range w[:cols] {
			w[c].read(tile[(first+c)*f16Bytes:])
		}
		for i := range rows {
			addColumns((*[8]float32)(sums[i][:8]), w[:cols], 0, x[i*k+first:][:cols])
			addColumns((*[8]float32)(sums[i][8:]), w[:cols], 8, x[i*k+first:][:cols])
		}
	}
	sums.store(dst, ldd, rows)
}

// addColumns adds x[c]·w[c] for rows r … r+7 of all columns c; r is 0 or 8.
func addColumns(sums *[8]float32, w []rowFloats, r int, x []float32) {
	s0, s1, s2, s3 := sums[0], sums[1], sums[2], sums[3]
	s4, s5, s6, s7 := sums[4], sums[5], sums[6], sums[7]
	for c := range w {
		v, col := x[c], (*[8]float32)(w[c][r&8:])
		s0 += v * col[0]
		s1 += v * col[1]
		s2 += v * col[2]
		s3 += v * col[3]
		s4 += v * col[4]
		s5 += v * col[5]
		s6 += v * col[6]
		s7 += v * col[7]
	}
	*sums = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

func matMulF32F32Go(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	for r := range rows {
		for i := range n {
			dst[i*ldd+r] = dotF32Go(w[r*k:(r+1)*k], x[i*k:(i+1)*k])
		}
	}
}

// dotF32Go returns Σ a[i]·b[i] in eight interleaved sums.
func dotF32Go(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		s4 += a[4] * b[4]
		s5 += a[5] * b[5]
		s6 += a[6] * b[6]
		s7 += a[7] * b[7]
		a, b = a[8:], b[8:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3) + ((s4 + s5) + (s6 + s7))
}
