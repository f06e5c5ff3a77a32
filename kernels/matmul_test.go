package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

var packedTypes = []tensor.DType{tensor.Q4_0, tensor.Q8_0, tensor.Q4_K, tensor.Q6_K, tensor.F16}

// randomRows returns rows of a matrix in GGUF form with random fields, scales of moderate size, and its values.
func randomRows(rng *rand.Rand, d tensor.DType, rows, cols int) ([]byte, []float32) {
	data := make([]byte, rows*d.RowBytes(cols))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	scale := func(b []byte) {
		h := tensor.F32ToF16(float32(rng.NormFloat64() * 0.01))
		b[0], b[1] = byte(h), byte(h>>8)
	}
	for b := data; len(b) > 0; b = b[d.BlockBytes():] {
		switch d {
		case tensor.F16, tensor.Q4_0, tensor.Q8_0:
			scale(b)
		case tensor.Q4_K:
			scale(b)
			scale(b[2:])
		case tensor.Q6_K:
			scale(b[208:])
		}
	}
	values := make([]float32, rows*cols)
	if err := tensor.Decode(values, data, d); err != nil {
		panic(err)
	}
	return data, values
}

// randomMatrix is randomRows packed.
func randomMatrix(rng *rand.Rand, d tensor.DType, rows, cols int) (tensor.Packed, []float32) {
	data, values := randomRows(rng, d, rows, cols)
	packed := make([]byte, tensor.PackedBytes(d, rows, cols))
	if err := tensor.Pack(packed, data, d, rows, cols); err != nil {
		panic(err)
	}
	return tensor.Packed{Type: d, Rows: rows, Cols: cols, Data: packed}, values
}

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func TestMatMulSmoke(t *testing.T) {
	kerneltest.Each(t, "MatMul", func(t *testing.T, _ string) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, d := range packedTypes {
			const rows, k, n = 37, 512, 5
			w, values := randomMatrix(rng, d, rows, k)
			x := normal(rng, n*k)
			var in kernels.Input
			in.Reset(x, n, k)
			dst := make([]float32, n*rows)
			kernels.MatMul(nil, dst, rows, w, &in)
			row := make([]float32, k)
			for r := range rows {
				kernels.DequantizeRow(row, w, r)
				for c := range row {
					if row[c] != values[r*k+c] {
						t.Fatal(d, r, c, row[c], values[r*k+c])
					}
				}
			}
			for i := range n {
				for r := range rows {
					want, mag := 0.0, 0.0
					for c := range k {
						p := float64(values[r*k+c]) * float64(x[i*k+c])
						want += p
						mag += math.Abs(p)
					}
					if diff := math.Abs(float64(dst[i*rows+r]) - want); diff > 0.01*mag {
						t.Fatal(fmt.Sprint(d, i, r, dst[i*rows+r], want))
					}
				}
			}
		}
	})
}
