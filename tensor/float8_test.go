package tensor_test

import (
	"math"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// The values of table 1 of arXiv 2209.05433, and some between.
func TestDecodeFloat8(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for d, values := range map[tensor.DType]map[byte]float32{
		tensor.F8_E4M3: {0x00: 0, 0x01: 1. / 512, 0x07: 7. / 512, 0x08: 1. / 64, 0x38: 1, 0x39: 1.125, 0x40: 2, 0x7E: 448, 0x7F: nan, 0x81: -1. / 512, 0xB8: -1, 0xFE: -448, 0xFF: nan},
		tensor.F8_E5M2: {0x00: 0, 0x01: 1. / 65536, 0x04: 1. / 16384, 0x3C: 1, 0x3D: 1.25, 0x7B: 57344, 0x7C: inf, 0x7D: nan, 0xBC: -1, 0xFB: -57344, 0xFC: -inf},
	} {
		for b, want := range values {
			var got [1]float32
			if err := tensor.Decode(got[:], []byte{b}, d); err != nil {
				t.Fatal(err)
			}
			if got[0] != want && !(got[0] != got[0] && want != want) {
				t.Errorf("%v %#02x: got %v, want %v", d, b, got[0], want)
			}
		}
	}
	// Magnitudes rise with their bits.
	all := make([]byte, 127)
	for i := range all {
		all[i] = byte(i)
	}
	values := make([]float32, len(all))
	if err := tensor.Decode(values, all, tensor.F8_E4M3); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(values); i++ {
		if !(values[i] > values[i-1]) {
			t.Errorf("%#02x is %v, and %#02x %v", i-1, values[i-1], i, values[i])
		}
	}
}
