package kernels

import "github.com/lever-go/lever/tensor"

// Offsets in a block of a tile.
const (
	q4KScales = 2 * f16Bytes
	q4KQuants = q4KScales + 12*rowsOfTile
)

var weightQ4_K = weightFormat{
	tileRef: tileRef{
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
	},
	matMulGo: productGo(&pairsForm, tileQ4KGo),
}

// q4KScale unpacks the 6-bit scale and minimum of sub-block j: 4 to 7 have their high bits above those of 0 to 3.
func q4KScale(b []byte, r, j int) (sc, m byte) {
	at := func(i int) byte { return b[q4KScales+rowsOfTile*i+r] }
	if j < 4 {
		return at(j) & 63, at(j+4) & 63
	}
	return at(j+4)&15 | at(j-4)>>6<<4, at(j+4)>>4 | at(j)>>6<<4
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
