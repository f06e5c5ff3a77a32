package arm64

func matMulF16F32Neon(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	f16Neon.run(dst, ldd, w, tiles, x, n, k)
}

func matMulF16F32I8mm(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	f16I8mm.run(dst, ldd, w, tiles, x, n, k)
}

// halfProduct is a product of F16 weights with float32, put together from kernels for fixed numbers of rows of activations.
type halfProduct struct {
	gemv          func(dst *float32, w *byte, tiles int, x *float32, k int)
	gemm16, gemm4 func(dst *float32, ldd int, w *byte, x *float32, k int)
}

var (
	f16Neon = halfProduct{gemvF16Neon, gemmF16Neon16, gemmF16Neon4}
	f16I8mm = halfProduct{gemvF16I8mm, gemmF16I8mm16, gemmF16I8mm4}
)

func (p *halfProduct) run(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	if k == 0 {
		clearRows(dst, ldd, tiles*tileRows, n)
		return
	}
	if n == 1 {
		p.gemv(&dst[0], &w[0], tiles, &x[0], k)
		return
	}
	for t := range tiles {
		out, tile := dst[t*tileRows:], &w[t*k*2*tileRows]
		i := 0
		for ; i+16 <= n; i += 16 {
			p.gemm16(&out[i*ldd], ldd, tile, &x[i*k], k)
		}
		for ; i+4 <= n; i += 4 {
			p.gemm4(&out[i*ldd], ldd, tile, &x[i*k], k)
		}
		for ; i < n; i++ {
			p.gemv(&out[i*ldd], tile, 1, &x[i*k], k)
		}
	}
}

func matMulF32F32Neon(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	if k == 0 {
		clearRows(dst, ldd, rows, n)
		return
	}
	i := 0
	for ; i+4 <= n; i += 4 {
		r := 0
		for ; r+4 <= rows; r += 4 {
			gemmF32Neon4x4(&dst[i*ldd+r], ldd, &w[r*k], &x[i*k], k)
		}
		for ; r < rows; r++ {
			for j := range 4 {
				dst[(i+j)*ldd+r] = dotF32Neon(&w[r*k], &x[(i+j)*k], k)
			}
		}
	}
	for ; i < n; i++ {
		r := 0
		for ; r+8 <= rows; r += 8 {
			gemvF32Neon8(&dst[i*ldd+r], &w[r*k], &x[i*k], k)
		}
		for ; r < rows; r++ {
			dst[i*ldd+r] = dotF32Neon(&w[r*k], &x[i*k], k)
		}
	}
	for c := k &^ 3; c < k; c++ {
		for i := range n {
			for r := range rows {
				dst[i*ldd+r] += w[r*k+c] * x[i*k+c]
			}
		}
	}
}

// clearRows zeroes the first cols elements of n rows.
func clearRows(dst []float32, ldd, cols, n int) {
	for i := range n {
		clear(dst[i*ldd : i*ldd+cols])
	}
}

// gemvF16Neon multiplies tiles tiles with one row of activations: dst[r] = Σ_c w[r][c]·x[c], c in order, fused. k ≥ 1.
//
//go:noescape
func gemvF16Neon(dst *float32, w *byte, tiles int, x *float32, k int)

// gemmF16Neon16 multiplies one tile with 16 rows of activations, as gemvF16Neon does with each.
//
//go:noescape
func gemmF16Neon16(dst *float32, ldd int, w *byte, x *float32, k int)

//go:noescape
func gemmF16Neon4(dst *float32, ldd int, w *byte, x *float32, k int)

// gemvF16I8mm is gemvF16Neon on processors with FMLAL.
//
//go:noescape
func gemvF16I8mm(dst *float32, w *byte, tiles int, x *float32, k int)

//go:noescape
func gemmF16I8mm16(dst *float32, ldd int, w *byte, x *float32, k int)

//go:noescape
func gemmF16I8mm4(dst *float32, ldd int, w *byte, x *float32, k int)

// gemmF32Neon4x4 multiplies 4 rows of weights with 4 of activations, without the last k%4 columns.
//
//go:noescape
func gemmF32Neon4x4(dst *float32, ldd int, w, x *float32, k int)

// gemvF32Neon8 multiplies 8 rows of weights with one of activations, without the last k%4 columns.
//
//go:noescape
func gemvF32Neon8(dst, w, x *float32, k int)

// dotF32Neon returns the product of one row with another, without the last k%4 columns.
//
//go:noescape
func dotF32Neon(w, x *float32, k int) float32
