package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/tensor"
)

var weightIQ4_NL = weightFormat{
	tileRef: tileRef{
		dtype: tensor.IQ4_NL,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			v := b[f16Bytes+64*(c%16/4)+4*r+c%4]
			return int32(iq4NLValues[v>>(4*(c/16))&15])
		},
		scale: func(b []byte, r, _ int) (float32, float32) { return f16At(b, 2*r), 0 },
	},
	matMulGo: productGo(&q8GoForm, tileIQ4NLGo),
}

// iq4NLValues are what the quants stand for.
var iq4NLValues = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

var iq4NLBytes = nibbleBytesOf(&iq4NLValues)

func tileIQ4NLGo(dst []float32, ldd int, tile, q []byte, rows int) {
	const blockBytes = f16Bytes + 16*tensor.TileRows
	rowBytes := len(q) / rows
	var sums rowSums
	var d rowFloats
	for at := 0; len(tile) > 0; at += q8BlockBytes {
		d.read(tile)
		addNibbles(&sums, &d, (*[16 * tensor.TileRows]byte)(tile[f16Bytes:]), &iq4NLBytes, q[at:], rowBytes, rows)
		tile = tile[blockBytes:]
	}
	sums.store(dst, ldd, rows)
}

// nibbleBytes are, by byte of quants, the value of its low nibble and, 32 bits further up, that of its high one, with 128 added.
type nibbleBytes [256]uint64

func nibbleBytesOf(values *[16]int8) (table nibbleBytes) {
	for b := range table {
		table[b] = uint64(byte(values[b&15])^0x80) | uint64(byte(values[b>>4])^0x80)<<32
	}
	return table
}

// addNibbles adds the products of a block of a tile with scales d and nibbles w, which stand for what is in table, and of rows blocks of
// activations in the plain form, which lie rowBytes apart.
func addNibbles(sums *rowSums, d *rowFloats, w *[16 * tensor.TileRows]byte, table *nibbleBytes, q []byte, rowBytes, rows int) {
	var w0, w1 [16 * tensor.TileRows]byte
	for i := 0; i < len(w); i += 4 {
		b := (*[4]byte)(w[i:])
		four := table[b[0]] | table[b[1]]<<8 | table[b[2]]<<16 | table[b[3]]<<24
		binary.LittleEndian.PutUint32(w0[i:], uint32(four))
		binary.LittleEndian.PutUint32(w1[i:], uint32(four>>32))
	}
	var wide [QuantBlock]uint64
	var lo, hi rowInts
	for i := range rows {
		x := (*[q8BlockBytes]byte)(q[i*rowBytes:])
		widen(&wide, x)
		byteRows(&lo, &w0, 0, (*[16]uint64)(wide[:16]))
		byteRows(&hi, &w1, 0, (*[16]uint64)(wide[16:]))
		dx, bias := scaleAndSum(x[QuantBlock:])
		for r := range d {
			sums[i][r] += d[r] * dx * float32(lo[r]+hi[r]-128*bias)
		}
	}
}
