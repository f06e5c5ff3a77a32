package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// rowSums are the sums of a tile for a group of activation rows.
type rowSums [table.GroupRows][tensor.TileRows]float32

// store writes the sums of rows activation rows.
func (s *rowSums) store(dst []float32, ldd, rows int) {
	for i := range rows {
		copy(dst[i*ldd:i*ldd+tensor.TileRows], s[i][:])
	}
}

// forTiles has multiply compute every tile for every group of activation rows. A tile stays in the cache while the groups
// pass.
func forTiles(dst []float32, ldd int, w []byte, tiles int, q []byte, n, rowBytes int, multiply func(dst []float32, ldd int, tile, q []byte, rows int)) {
	tileBytes := len(w) / tiles
	for t := range tiles {
		tile := w[t*tileBytes : (t+1)*tileBytes]
		for i := 0; i < n; i += table.GroupRows {
			rows := min(table.GroupRows, n-i)
			multiply(dst[i*ldd+t*tensor.TileRows:], ldd, tile, q[i*rowBytes:(i+rows)*rowBytes], rows)
		}
	}
}

func matMulQ4Q8Go(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	forTiles(dst, ldd, w, tiles, q, n, pairsRowBytes(k), tileQ4Go)
}

func tileQ4Go(dst []float32, ldd int, tile, q []byte, rows int) {
	const blockBytes = f16Bytes + 16*tensor.TileRows
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	var lo, hi rowInts
	for at := 0; len(tile) > 0; at += pairsBlockBytes {
		d.read(tile)
		w := (*[16 * tensor.TileRows]byte)(tile[f16Bytes:])
		for i := range rows {
			x := (*[pairsBlockBytes]byte)(q[i*rowBytes+at:])
			nibbleRows(&lo, &hi, w, (*[64]byte)(x[:64]), (*[64]byte)(x[64:]))
			dx, bias := scaleAndSum(x[8*pairsPerBlock:])
			for r := range d {
				sums[i][r] += d[r] * dx * float32(lo[r]+hi[r]-8*bias)
			}
		}
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}

// rowFloats are 16 numbers, one for each row of a tile: scales, or a column.
type rowFloats [tensor.TileRows]float32

// read converts 16 F16 numbers.
func (d *rowFloats) read(b []byte) {
	_ = b[f16Bytes-1]
	for r := range d {
		if h := binary.LittleEndian.Uint16(b[2*r:]); isNormalHalf(h) {
			d[r] = normalHalf(h)
		} else {
			d[r] = tensor.F16ToF32(h)
		}
	}
}

// scaleAndSum reads the end of a block of activations.
func scaleAndSum(tail []byte) (d float32, sum int32) {
	_ = tail[7]
	return f32At(tail, 0), int32(binary.LittleEndian.Uint32(tail[4:]))
}

func matMulQ8Q8Go(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	forTiles(dst, ldd, w, tiles, q, n, q8RowBytes(k), tileQ8Go)
}

func tileQ8Go(dst []float32, ldd int, tile, q []byte, rows int) {
	const blockBytes = f16Bytes + 32*tensor.TileRows
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	var lo, hi rowInts
	var wide [QuantBlock]uint64
	for at := 0; len(tile) > 0; at += q8BlockBytes {
		d.read(tile)
		w0, w1 := (*[16 * tensor.TileRows]byte)(tile[f16Bytes:]), (*[16 * tensor.TileRows]byte)(tile[f16Bytes+16*tensor.TileRows:])
		for i := range rows {
			x := (*[q8BlockBytes]byte)(q[i*rowBytes+at:])
			widen(&wide, x)
			byteRows(&lo, w0, byteSigns, (*[16]uint64)(wide[:16]))
			byteRows(&hi, w1, byteSigns, (*[16]uint64)(wide[16:]))
			dx, bias := scaleAndSum(x[QuantBlock:])
			for r := range d {
				sums[i][r] += d[r] * dx * float32(lo[r]+hi[r]-128*bias)
			}
		}
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}

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
				nibbleRows(&lo0, &hi0, w0, (*[64]byte)(x0), (*[64]byte)(x1))
				nibbleRows(&lo1, &hi1, w1, (*[64]byte)(x0[64:]), (*[64]byte)(x1[64:]))
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

func matMulF16F32Go(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	for t := range tiles {
		tile := w[t*k*f16Bytes : (t+1)*k*f16Bytes]
		for i := 0; i < n; i += table.GroupRows {
			rows := min(table.GroupRows, n-i)
			tileF16Go(dst[i*ldd+t*tensor.TileRows:], ldd, tile, x[i*k:(i+rows)*k], rows)
		}
	}
}

func tileF16Go(dst []float32, ldd int, tile []byte, x []float32, rows int) {
	const chunk = 64 // columns converted at a time
	k := len(x) / rows
	var sums rowSums
	var w [chunk]rowFloats
	for first := 0; first < k; first += chunk {
		cols := min(chunk, k-first)
		for c := range w[:cols] {
			w[c].read(tile[(first+c)*f16Bytes:])
		}
		for i := range rows {
			addColumns((*[8]float32)(sums[i][:8]), w[:cols], 0, x[i*k+first:][:cols])
			addColumns((*[8]float32)(sums[i][8:]), w[:cols], 8, x[i*k+first:][:cols])
		}
	}
	sums.store(dst, ldd, rows)
}

// addColumns adds x[c]·w[c] for rows r … r+7 of all columns c; r is 0 or 8.
func addColumns(sums *[8]float32, w []rowFloats, r int, x []float32) {
	s0, s1, s2, s3 := sums[0], sums[1], sums[2], sums[3]
	s4, s5, s6, s7 := sums[4], sums[5], sums[6], sums[7]
	for c := range w {
		v, col := x[c], (*[8]float32)(w[c][r&8:])
		s0 += v * col[0]
		s1 += v * col[1]
		s2 += v * col[2]
		s3 += v * col[3]
		s4 += v * col[4]
		s5 += v * col[5]
		s6 += v * col[6]
		s7 += v * col[7]
	}
	*sums = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

func matMulF32F32Go(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	for r := range rows {
		for i := range n {
			dst[i*ldd+r] = dotF32Go(w[r*k:(r+1)*k], x[i*k:(i+1)*k])
		}
	}
}

// dotF32Go returns Σ a[i]·b[i] in eight interleaved sums.
func dotF32Go(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		s4 += a[4] * b[4]
		s5 += a[5] * b[5]
		s6 += a[6] * b[6]
		s7 += a[7] * b[7]
		a, b = a[8:], b[8:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3) + ((s4 + s5) + (s6 + s7))
}
