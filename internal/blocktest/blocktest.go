// Package blocktest makes weights of any format with random quants for tests, from what package tensor says of the format's fields.
package blocktest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/lever-go/lever/tensor"
)

// Random returns rows·cols elements of type d in row-major form: random bytes, but for scales (or elements of F16) from next.
func Random(rng *rand.Rand, d tensor.DType, rows, cols int, next func() float32) []byte {
	data := make([]byte, rows*d.RowBytes(cols))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	SetScales(data, d, next)
	return data
}

// SetScales puts numbers from next where whole blocks of a packable type d have their scales (or elements of F16).
func SetScales(data []byte, d tensor.DType, next func() float32) {
	fields := d.Fields()
	for ; len(data) > 0; data = data[d.BlockBytes():] {
		for _, f := range fields {
			switch {
			case f.Unit == 2:
				binary.LittleEndian.PutUint16(data[f.Offset:], tensor.F32ToF16(next()))
			case f.Name == "e": // of the power of two at or below the number
				exponent := min(max(math.Ilogb(float64(next())), -127), 127)
				data[f.Offset] = byte(exponent + 127)
			}
		}
	}
}

// Pack returns rows of type d in their packed form.
func Pack(data []byte, d tensor.DType, rows, cols int) tensor.Packed {
	w := tensor.Packed{Type: d, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(d, rows, cols))}
	if err := tensor.Pack(w.Data, data, d, rows, cols); err != nil {
		panic(err)
	}
	return w
}
