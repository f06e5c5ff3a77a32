package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

// Offsets in a block of a tile.
const (
	q3KScales = f16Bytes
	q3KLow    = q3KScales + 12*rowsOfTile
	q3KHigh   = q3KLow + 64*rowsOfTile
)

var weightQ3_K = weightFormat{
	tileRef: tileRef{
		dtype: tensor.Q3_K,
		run:   16,
		q: func(b []byte, r, c int) int32 {
			// Half a block is 128 columns, 32 bytes of qs. Bit c/32 of hmask is the third bit.
			i, h := 32*(c/128)+c%32, c%32
			low := b[q3KLow+64*(i/4)+4*r+i%4] >> (2 * (c / 32 % 4)) & 3
			high := b[q3KHigh+64*(h/4)+4*r+h%4] >> (c / 32) & 1
			return int32(low|high<<2) - 4
		},
		scale: func(b []byte, r, run int) (float32, float32) {
			return f16At(b, 2*r) * float32(int(q3KScale(b, r, run))-32), 0
		},
	},
	unpackGo: unpackQ3KGo,
}

// q3KScale unpacks the 6-bit scale of a run of 16 columns, with 32 still added.
func q3KScale(b []byte, r, run int) byte {
	low := b[q3KScales+rowsOfTile*(run%8)+r] >> (4 * (run / 8)) & 15
	high := b[q3KScales+rowsOfTile*(8+run%4)+r] >> (2 * (run / 4)) & 3
	return low | high<<4
}

// unpackQ3KGo multiplies the integers with the scales of their runs, both with their signs turned: (32-s)·(q-4) is -128 … 124, whereas the
// product itself may be 128. What is left as the scale is -d.
func unpackQ3KGo(dst, tile []byte) {
	const blockBytes = q3KHigh + 32*tensor.TileRows
	var d rowFloats
	for ; len(tile) > 0; tile = tile[blockBytes:] {
		d.read(tile)
		for s := range 8 {
			putScaled(dst, &d, func(int) float32 { return -1 })
			low, high := tile[q3KLow+s/4*32*tensor.TileRows:], tile[q3KHigh:]
			for run := range 2 {
				at := run * 16 * tensor.TileRows
				for r := range tensor.TileRows {
					factor := 32 - q3KScale(tile, r, 2*s+run) // modulo 256, as all bytes here
					words(dst[unpackedQuants+at+4*r:], low[at+4*r:], high[at+4*r:], s, factor)
				}
			}
			dst = dst[unpackedBytes:]
		}
	}
}

// words writes 16 columns of a row, whose words lie a column group apart, of the s-th 32 columns of a block.
func words(dst, low, high []byte, s int, factor byte) {
	const (
		group = 4 * tensor.TileRows
		even  = 0x00ff00ff00ff00ff
		each  = 0x0001000100010001
	)
	multiply, subtract := uint64(factor), uint64(-(4*factor))*each
	for i := 0; i < 4*group; i += 2 * group {
		l := uint64(binary.LittleEndian.Uint32(low[i:])) | uint64(binary.LittleEndian.Uint32(low[i+group:]))<<32
		h := uint64(binary.LittleEndian.Uint32(high[i:])) | uint64(binary.LittleEndian.Uint32(high[i+group:]))<<32
		q := l>>(2*(s%4))&0x0303030303030303 | h>>s&0x0101010101010101<<2
		w := (q&even*multiply+subtract)&even | (q>>8&even*multiply+subtract)&even<<8
		binary.LittleEndian.PutUint32(dst[i:], uint32(w))
		binary.LittleEndian.PutUint32(dst[i+group:], uint32(w>>32))
	}
}
