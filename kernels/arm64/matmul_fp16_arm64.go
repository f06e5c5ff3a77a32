package arm64

// matMulF16F16Fp16 adds the products of up to 128 columns up in float16, and such sums in float32. Rounding makes an error of
// 0.16 % of normally distributed results (Q8_0 activations: 0.54 %), at most 128·2^-11·Σ|w·x|. A sum beyond 65504, which
// takes weights whose magnitudes average about 8 in a block, becomes an infinity or NaN.
func matMulF16F16Fp16(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	if k == 0 {
		clearRows(dst, ldd, tiles*tileRows, n)
		return
	}
	tileBytes := k * 2 * tileRows
	if n == 1 {
		t := 0
		for ; t+4 <= tiles; t += 4 {
			gemvF16Fp16Tiles4(&dst[t*tileRows], &w[t*tileBytes], &q[0], halfLayout.alone, k)
		}
		for ; t < tiles; t++ {
			gemmF16Fp16Rows1(&dst[t*tileRows], ldd, &w[t*tileBytes], &q[0], halfLayout.alone, k)
		}
		return
	}
	step := max(1, cacheBytes/tileBytes)
	for first := 0; first < tiles; first += step {
		last := min(first+step, tiles)
		for row := 0; row < n; row += groupRows {
			rows := min(groupRows, n-row)
			group := q[row*halfLayout.rowBytes(k):]
			for t := first; t < last; t++ {
				groupF16Fp16(dst[row*ldd+t*tileRows:], ldd, w[t*tileBytes:], group, rows, k)
			}
		}
	}
}

// groupF16Fp16 multiplies one tile with one group of activations.
func groupF16Fp16(dst []float32, ldd int, tile, q []byte, rows, k int) {
	stride := halfLayout.stride(rows)
	i := 0
	for ; i+4 <= rows; i += 4 {
		gemmF16Fp16Rows4(&dst[i*ldd], ldd, &tile[0], &q[i*halfLayout.alone], stride, k)
	}
	if i+2 <= rows {
		gemmF16Fp16Rows2(&dst[i*ldd], ldd, &tile[0], &q[i*halfLayout.alone], stride, k)
		i += 2
	}
	if i < rows {
		gemmF16Fp16Rows1(&dst[i*ldd], ldd, &tile[0], &q[i*halfLayout.alone], stride, k)
	}
}

// gemmF16Fp16Rows1 multiplies one tile with one row of activations in halfForm whose blocks lie stride bytes apart: for
// each block of up to 128 columns, dst[r] += d·float32(Σ_c w[r][c]·x[c]), the sum in float16. k ≥ 1.
//
//go:noescape
func gemmF16Fp16Rows1(dst *float32, ldd int, w, q *byte, stride, k int)

// gemmF16Fp16Rows2 multiplies one tile with two rows, as gemmF16Fp16Rows1 does with each.
//
//go:noescape
func gemmF16Fp16Rows2(dst *float32, ldd int, w, q *byte, stride, k int)

//go:noescape
func gemmF16Fp16Rows4(dst *float32, ldd int, w, q *byte, stride, k int)

// gemvF16Fp16Tiles4 multiplies four tiles with one row, as gemmF16Fp16Rows1 does each.
//
//go:noescape
func gemvF16Fp16Tiles4(dst *float32, w, q *byte, stride, k int)
