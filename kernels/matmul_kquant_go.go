package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

func matMulQ4KQ8Go(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	forTiles(dst, ldd, w, tiles, q, n, pairsRowBytes(k), tileQ4KGo)
}

func tileQ4KGo(dst []float32, ldd int, tile, q []byte, rows int) {
	const (
		blockBytes = q4KQuants + 128*tensor.TileRows
		half       = 16 * tensor.TileRows // bytes of 16 columns and, in the high nibbles, the 16 columns 32 further
	)
	rowBytes := len(q) / rows
	var sums rowSums
	var d, m [8]rowFloats
	var lo0, lo1, hi0, hi1 rowInts
	for at := 0; len(tile) > 0; tile = tile[blockBytes:] {
		readScalesQ4K(&d, &m, tile)
		for s := 0; s < len(d); s += 2 {
			w := tile[q4KQuants+s*half : q4KQuants+(s+2)*half]
			w0, w1 := (*[half]byte)(w), (*[half]byte)(w[half:])
			for i := range rows {
				x := (*[2 * pairsBlockBytes]byte)(q[i*rowBytes+at:])
				x0, x1 := x[:pairsBlockBytes], x[pairsBlockBytes:]
				nibbleRows(&lo0, &hi0, w0, (*[halfPairs]byte)(x0), (*[halfPairs]byte)(x1))
				nibbleRows(&lo1, &hi1, w1, (*[halfPairs]byte)(x0[halfPairs:]), (*[halfPairs]byte)(x1[halfPairs:]))
				dx0, sum0 := scaleAndSum(x0[8*pairsPerBlock:])
				dx1, sum1 := scaleAndSum(x1[8*pairsPerBlock:])
				for r := range sums[i] {
					sums[i][r] += dx0*(d[s][r]*float32(lo0[r]+lo1[r])-m[s][r]*float32(sum0)) +
						dx1*(d[s+1][r]*float32(hi0[r]+hi1[r])-m[s+1][r]*float32(sum1))
				}
			}
			at += 2 * pairsBlockBytes
		}
	}
	sums.store(dst, ldd, rows)
}

// readScalesQ4K reads the scales and minima of the eight sub-blocks.
func readScalesQ4K(d, m *[8]rowFloats, block []byte) {
	var d0, m0 rowFloats
	d0.read(block)
	m0.read(block[f16Bytes:])
	for s := range d {
		for r := range d0 {
			sc, min := q4KScale(block, r, s)
			d[s][r] = d0[r] * float32(sc)
			m[s][r] = m0[r] * float32(min)
		}
	}
}

func matMulQ6KQ8Go(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	forTiles(dst, ldd, w, tiles, q, n, q8RowBytes(k), tileQ6KGo)
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
