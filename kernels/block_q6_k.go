package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

// Offsets in a block of a tile.
const (
	q6KLow  = f16Bytes + 16*rowsOfTile
	q6KHigh = q6KLow + 128*rowsOfTile
)

var weightQ6_K = weightFormat{
	tileRef: tileRef{
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
	},
	matMulGo: productGo(&q8GoForm, tileQ6KGo),
}

func tileQ6KGo(dst []float32, ldd int, tile, q []byte, rows int) {
	const (
		blockBytes = q6KHigh + 64*tensor.TileRows
		run        = 16 * tensor.TileRows // bytes of the 16 columns that share a scale
	)
	rowBytes := len(q) / rows
	var sums rowSums
	var d [16]rowFloats
	var bytes [256 * tensor.TileRows]byte
	var wide [QuantBlock]uint64
	var lo, hi rowInts
	for at := 0; len(tile) > 0; tile = tile[blockBytes:] {
		readScalesQ6K(&d, tile)
		unpackQ6K(&bytes, tile)
		for s := 0; s < 16; s += 2 {
			w0, w1 := (*[run]byte)(bytes[s*run:]), (*[run]byte)(bytes[(s+1)*run:])
			for i := range rows {
				x := (*[q8BlockBytes]byte)(q[i*rowBytes+at:])
				widen(&wide, x)
				byteRows(&lo, w0, 0, (*[16]uint64)(wide[:16]))
				byteRows(&hi, w1, 0, (*[16]uint64)(wide[16:]))
				dx, sum := scaleAndSum(x[QuantBlock:])
				sum0 := int32(0)
				for _, v := range x[:16] {
					sum0 += int32(int8(v))
				}
				for r := range sums[i] {
					sums[i][r] += dx * (d[s][r]*float32(lo[r]-32*sum0) + d[s+1][r]*float32(hi[r]-32*(sum-sum0)))
				}
			}
			at += q8BlockBytes
		}
	}
	sums.store(dst, ldd, rows)
}

// readScalesQ6K reads the scales of the 16 runs of 16 columns.
func readScalesQ6K(d *[16]rowFloats, block []byte) {
	var d0 rowFloats
	d0.read(block)
	for s := range d {
		sc := (*[tensor.TileRows]byte)(block[f16Bytes+s*tensor.TileRows:])
		for r := range sc {
			d[s][r] = d0[r] * float32(int8(sc[r]))
		}
	}
}

// unpackQ6K joins the low nibbles and high bit pairs of a block, with 32 still added, four columns of a row to a word as in
// Q8_0. Words are read for two rows at a time.
func unpackQ6K(dst *[256 * tensor.TileRows]byte, block []byte) {
	const (
		nibbles = 0x0f0f0f0f0f0f0f0f
		pairs   = 0x3030303030303030
		word    = 4 * tensor.TileRows // bytes of four columns
	)
	for half := range 2 {
		low := block[q6KLow+half*16*word : q6KLow+(half+1)*16*word]
		high := block[q6KHigh+half*8*word : q6KHigh+(half+1)*8*word]
		out := dst[half*32*word : (half+1)*32*word]
		for i := 0; i < 8*word; i += 8 {
			a := binary.LittleEndian.Uint64(low[i:])        // columns 0…31 and 64…95
			b := binary.LittleEndian.Uint64(low[i+8*word:]) // columns 32…63 and 96…127
			h := binary.LittleEndian.Uint64(high[i:])
			binary.LittleEndian.PutUint64(out[i:], a&nibbles|h<<4&pairs)
			binary.LittleEndian.PutUint64(out[i+8*word:], b&nibbles|h<<2&pairs)
			binary.LittleEndian.PutUint64(out[i+16*word:], a>>4&nibbles|h&pairs)
			binary.LittleEndian.PutUint64(out[i+24*word:], b>>4&nibbles|h>>2&pairs)
		}
	}
}
