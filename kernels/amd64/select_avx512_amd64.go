//go:build !purego

package amd64

// maxAvx512 returns the largest element, NaN passed over; -Inf for none.
//
//go:noescape
func maxAvx512(x []float32) float32

// expSumAvx512 is for i := range x { x[i] = exp(x[i] - max); sum += x[i] }, with a float64 sum.
//
//go:noescape
func expSumAvx512(x []float32, max float32) float32

// indexAboveAvx512 returns the first i with x[i] > threshold, or len(x).
//
//go:noescape
func indexAboveAvx512(x []float32, threshold float32) int

// indexEqualAvx512 returns the first i with x[i] == v, or len(x).
//
//go:noescape
func indexEqualAvx512(x []float32, v float32) int

func argmaxAvx512(x []float32) int {
	if i := indexEqualAvx512(x, maxAvx512(x)); i < len(x) {
		return i
	}
	return 0
}
