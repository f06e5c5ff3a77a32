//go:build !purego

package amd64

// maxAvx2 returns the largest element, NaN passed over; -Inf for none.
//
//go:noescape
func maxAvx2(x []float32) float32

// expSumAvx2 is for i := range x { x[i] = exp(x[i] - max); sum += x[i] }, with a float64 sum.
//
//go:noescape
func expSumAvx2(x []float32, max float32) float32

// indexAboveAvx2 returns the first i with x[i] > threshold, or len(x).
//
//go:noescape
func indexAboveAvx2(x []float32, threshold float32) int

// indexEqualAvx2 returns the first i with x[i] == v, or len(x).
//
//go:noescape
func indexEqualAvx2(x []float32, v float32) int

func argmaxAvx2(x []float32) int {
	if i := indexEqualAvx2(x, maxAvx2(x)); i < len(x) {
		return i
	}
	return 0
}
