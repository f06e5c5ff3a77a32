package kernels_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// FuzzMatMul makes a matrix of one tile and two rows of activations from bytes, any bytes, and compares every set with the
// product in float64.
func FuzzMatMul(f *testing.F) {
	for i := range packedTypes {
		f.Add(byte(i), []byte{0xff, 0x80, 0x7f, 0, 1}, []byte{0, 0, 0x80, 0x3f, 0, 0, 0xfe, 0xc2})
	}
	f16 := byte(slices.Index(packedTypes, tensor.F16))
	f.Add(byte(0), []byte{0x0f, 0xf0}, []byte{0, 0, 0xc0, 0x7f}) // NaN
	f.Add(f16, []byte{0x30}, []byte("0\x0300"))                  // equal terms, whose roundings add up
	f.Add(f16, []byte{0x30}, []byte("0!\x00\x00"))               // subnormal
	f.Fuzz(func(t *testing.T, format byte, weights, activations []byte) {
		if len(weights) == 0 || len(activations) < 4 {
			return
		}
		d := packedTypes[int(format)%len(packedTypes)]
		const rows, n, k = tensor.TileRows, 2, 256
		data := make([]byte, rows*d.RowBytes(k))
		for i := range data {
			data[i] = weights[i%len(weights)] + byte(i/len(weights))
		}
		scale := float32(0)
		blocktest.SetScales(data, d, func() float32 { scale += 0.001; return scale })
		w, values := packRows(data, d, rows, k)
		x := make([]float32, n*k)
		finite := true
		for i := range x {
			v := math.Float32frombits(binary.LittleEndian.Uint32(activations[i%(len(activations)/4)*4:]))
			finite = finite && math.Abs(float64(v)) < 1e30
			x[i] = v
		}
		for _, set := range kernels.AllSets() {
			dst := multiplyNaN(t, set, w, x, n)
			if finite {
				checkProduct(t, set, d, dst, rows, 0, values, rows, x, n, k)
			}
		}
	})
}
