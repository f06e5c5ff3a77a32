package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

// tileRef is one weight format seen element by element: what the definitions of products and of dequantisation share.
// block points at one block of a tile.
type tileRef struct {
	dtype tensor.DType
	// q returns the integer of row r, column c.
	q func(block []byte, r, c int) int32
	// scale returns the factor of q for row r in the columns of run, and the constant to subtract from the product.
	scale func(block []byte, r, run int) (d, m float32)
	run   int // columns that share a scale
}

const (
	rowsOfTile = tensor.TileRows
	f16Bytes   = 2 * rowsOfTile // one F16 field of all rows
)

// matMul is the definition of a product with quantised activations.
func (t *tileRef) matMul(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	blockElems, blockBytes := t.dtype.BlockElems(), rowsOfTile*t.dtype.BlockBytes()
	for i := range n {
		x := q[i*q8RowBytes(k):]
		for row := range tiles * rowsOfTile {
			tile, r := w[row/rowsOfTile*tensor.TileBytes(t.dtype, k):], row%rowsOfTile
			sum := float32(0)
			for c := 0; c < k; c += t.run {
				block := tile[c/blockElems*blockBytes:]
				xb := x[c/QuantBlock*q8BlockBytes:]
				dot, xsum := int32(0), int32(0)
				for e := range t.run {
					v := int32(int8(xb[c%QuantBlock+e]))
					dot += t.q(block, r, c%blockElems+e) * v
					xsum += v
				}
				d, m := t.scale(block, r, c%blockElems/t.run)
				sum += f32At(xb, QuantBlock) * (d*float32(dot) - m*float32(xsum))
			}
			dst[i*ldd+row] = sum
		}
	}
}

// dequantize is the definition of one row's values.
func (t *tileRef) dequantize(dst []float32, tile []byte, r int) {
	blockElems, blockBytes := t.dtype.BlockElems(), rowsOfTile*t.dtype.BlockBytes()
	for c := range dst {
		block := tile[c/blockElems*blockBytes:]
		d, m := t.scale(block, r, c%blockElems/t.run)
		dst[c] = float32(d*float32(t.q(block, r, c%blockElems))) - m
	}
}

func matMulF16F32Ref(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	for i := range n {
		for row := range tiles * rowsOfTile {
			tile, r := w[row/rowsOfTile*k*f16Bytes:], row%rowsOfTile
			sum := float32(0)
			for c := range k {
				sum += f16At(tile, c*f16Bytes+2*r) * x[i*k+c]
			}
			dst[i*ldd+row] = sum
		}
	}
}

func matMulF32F32Ref(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	for i := range n {
		for r := range rows {
			sum := float32(0)
			for c := range k {
				sum += w[r*k+c] * x[i*k+c]
			}
			dst[i*ldd+r] = sum
		}
	}
}

func f16At(b []byte, off int) float32 { return tensor.F16ToF32(binary.LittleEndian.Uint16(b[off:])) }
