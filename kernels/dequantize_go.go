package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

func dequantizeF16Go(dst []float32, tile []byte, r int) {
	for c := range dst {
		dst[c] = halfToFloat(binary.LittleEndian.Uint16(tile[c*f16Bytes+2*r:]))
	}
}

func dequantizeQ4Go(dst []float32, tile []byte, r int) {
	const blockBytes = f16Bytes + 16*tensor.TileRows
	for ; len(dst) > 0; dst, tile = dst[QuantBlock:], tile[blockBytes:] {
		d := f16At(tile, 2*r)
		lo, hi := dst[:16], dst[16:QuantBlock]
		for j := range 4 {
			for i, b := range tile[f16Bytes+64*j+4*r:][:4] {
				lo[4*j+i] = d * float32(int32(b&15)-8)
				hi[4*j+i] = d * float32(int32(b>>4)-8)
			}
		}
	}
}

func dequantizeQ8Go(dst []float32, tile []byte, r int) {
	const blockBytes = f16Bytes + 32*tensor.TileRows
	for ; len(dst) > 0; dst, tile = dst[QuantBlock:], tile[blockBytes:] {
		d := f16At(tile, 2*r)
		for j := range 8 {
			for i, b := range tile[f16Bytes+64*j+4*r:][:4] {
				dst[4*j+i] = d * float32(int8(b))
			}
		}
	}
}

func dequantizeQ4KGo(dst []float32, tile []byte, r int) { q4KRef.dequantizeRuns(dst, tile, r) }
func dequantizeQ6KGo(dst []float32, tile []byte, r int) { q6KRef.dequantizeRuns(dst, tile, r) }

// dequantizeRuns is dequantize with each scale unpacked once.
func (t *tileRef) dequantizeRuns(dst []float32, tile []byte, r int) {
	blockElems, blockBytes := t.dtype.BlockElems(), rowsOfTile*t.dtype.BlockBytes()
	for ; len(dst) > 0; dst, tile = dst[blockElems:], tile[blockBytes:] {
		for c := 0; c < blockElems; c += t.run {
			d, m := t.scale(tile, r, c/t.run)
			for i := range t.run {
				dst[c+i] = float32(d*float32(t.q(tile, r, c+i))) - m
			}
		}
	}
}
