package kernels

import "encoding/binary"

func dequantizeF16Go(dst []float32, tile []byte, r int) {
	for c := range dst {
		dst[c] = halfToFloat(binary.LittleEndian.Uint16(tile[c*f16Bytes+2*r:]))
	}
}

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
