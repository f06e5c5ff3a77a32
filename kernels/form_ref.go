package kernels

import (
	"encoding/binary"
	"math"

	"github.com/lever-go/lever/kernels/internal/table"
)

// q8Form is the plain form of quantised activations: rows of blocks of 32 int8, the float32 scale, the int32 sum.
var q8Form = table.Form{Name: "q8", RowBytes: q8RowBytes, Quantize: quantizeQ8Ref, Block: q8Block}

const q8BlockBytes = QuantBlock + 4 + 4

func q8RowBytes(k int) int { return k / QuantBlock * q8BlockBytes }

func q8Block(q []byte, _, k, row, block int) (d float32, v [32]int32) {
	b := q[row*q8RowBytes(k)+block*q8BlockBytes:]
	for i := range v {
		v[i] = int32(int8(b[i]))
	}
	return f32At(b, QuantBlock), v
}

func quantizeQ8Ref(q []byte, x []float32, rows, k int) {
	for b := range rows * k / QuantBlock {
		quantizeBlockRef(q[b*q8BlockBytes:], x[b*QuantBlock:(b+1)*QuantBlock])
	}
}

// quantizeBlockRef is the definition of quantised activations, for one block.
func quantizeBlockRef(q []byte, x []float32) {
	var amax, d, inv float32
	finite := true
	for _, v := range x {
		a := float32(math.Abs(float64(v)))
		amax = max(amax, a)
		finite = finite && a <= math.MaxFloat32
	}
	switch {
	case !finite:
		d = float32(math.NaN())
	case amax >= quantizeMin:
		d = amax / 127
		inv = 1 / d
	}
	sum := int32(0)
	for i, v := range x {
		n := int32(0)
		if inv != 0 {
			n = int32(math.RoundToEven(float64(v * inv)))
		}
		q[i] = byte(int8(n))
		sum += n
	}
	binary.LittleEndian.PutUint32(q[QuantBlock:], math.Float32bits(d))
	binary.LittleEndian.PutUint32(q[QuantBlock+4:], uint32(sum))
}

// quantizeMin is the magnitude below which a block counts as zero, far from where 1/d overflows.
const quantizeMin = 0x1p-100

func f32At(b []byte, off int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[off:]))
}
