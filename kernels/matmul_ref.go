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

var (
	q4Ref = tileRef{
		dtype: tensor.Q4_0,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			v := b[f16Bytes+64*(c%16/4)+4*r+c%4]
			return int32(v>>(4*(c/16))&15) - 8
		},
		scale: func(b []byte, r, _ int) (float32, float32) { return f16At(b, 2*r), 0 },
	}
	q8Ref = tileRef{
		dtype: tensor.Q8_0,
		run:   32,
		q:     func(b []byte, r, c int) int32 { return int32(int8(b[f16Bytes+64*(c/4)+4*r+c%4])) },
		scale: func(b []byte, r, _ int) (float32, float32) { return f16At(b, 2*r), 0 },
	}
	q4KRef = tileRef{
		dtype: tensor.Q4_K,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			i := 32*(c/64) + c%32 // of qs
			v := b[q4KQuants+64*(i/4)+4*r+i%4]
			return int32(v >> (4 * (c / 32 % 2)) & 15)
		},
		scale: func(b []byte, r, run int) (float32, float32) {
			sc, m := q4KScale(b, r, run)
			return f16At(b, 2*r) * float32(sc), f16At(b, f16Bytes+2*r) * float32(m)
		},
	}
	q6KRef = tileRef{
		dtype: tensor.Q6_K,
		run:   16,
		q: func(b []byte, r, c int) int32 {
			// Half a block is 128 columns: 64 bytes of ql, whose low nibbles are columns 0..63, and 32 bytes of qh, whose
			// bit pairs are columns 0..31, 32..63, 64..95, 96..127.
			half, c := c/128, c%128
			l, h := 64*half+c%64, 32*half+c%32
			low := b[q6KLow+64*(l/4)+4*r+l%4] >> (4 * (c / 64)) & 15
			high := b[q6KHigh+64*(h/4)+4*r+h%4] >> (2 * (c / 32)) & 3
			return int32(low|high<<4) - 32
		},
		scale: func(b []byte, r, run int) (float32, float32) {
			return f16At(b, 2*r) * float32(int8(b[f16Bytes+rowsOfTile*run+r])), 0
		},
	}
)

// Offsets in a block of a tile.
const (
	q4KScales = 2 * f16Bytes
	q4KQuants = q4KScales + 12*rowsOfTile
	q6KLow    = f16Bytes + 16*rowsOfTile
	q6KHigh   = q6KLow + 128*rowsOfTile
)

// q4KScale unpacks the 6-bit scale and minimum of sub-block j: 4 to 7 have their high bits above those of 0 to 3.
func q4KScale(b []byte, r, j int) (sc, m byte) {
	at := func(i int) byte { return b[q4KScales+rowsOfTile*i+r] }
	if j < 4 {
		return at(j) & 63, at(j+4) & 63
	}
	return at(j+4)&15 | at(j-4)>>6<<4, at(j+4)>>4 | at(j)>>6<<4
}

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

func matMulQ4Q8Ref(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	q4Ref.matMul(dst, ldd, w, tiles, q, n, k)
}

func matMulQ8Q8Ref(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	q8Ref.matMul(dst, ldd, w, tiles, q, n, k)
}

func matMulQ4KQ8Ref(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	q4KRef.matMul(dst, ldd, w, tiles, q, n, k)
}

func matMulQ6KQ8Ref(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	q6KRef.matMul(dst, ldd, w, tiles, q, n, k)
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
