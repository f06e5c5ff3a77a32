package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/tensor"
)

var weightIQ4_NL = weightFormat{
	tileRef: tileRef{
		dtype: tensor.IQ4_NL,
		run:   32,
		q: func(b []byte, r, c int) int32 {
			v := b[f16Bytes+64*(c%16/4)+4*r+c%4]
			return int32(quants.IQ4[v>>(4*(c/16))&15])
		},
		scale: func(b []byte, r, _ int) (float32, float32) { return f16At(b, 2*r), 0 },
	},
	unpackGo: unpackIQ4NLGo,
}

var iq4Bytes = nibbleBytesOf(&quants.IQ4)

func unpackIQ4NLGo(dst, tile []byte) {
	const blockBytes = f16Bytes + 16*tensor.TileRows
	var d rowFloats
	for ; len(tile) > 0; dst, tile = dst[unpackedBytes:], tile[blockBytes:] {
		d.read(tile)
		putScales(dst, &d)
		unpackNibbles(dst[unpackedQuants:unpackedBytes], tile[f16Bytes:blockBytes], &iq4Bytes)
	}
}

// nibbleBytes are, by byte of quants, the value of its low nibble and, 32 bits further up, that of its high one.
type nibbleBytes [256]uint64

func nibbleBytesOf(values *[16]int8) (table nibbleBytes) {
	for b := range table {
		table[b] = uint64(byte(values[b&15])) | uint64(byte(values[b>>4]))<<32
	}
	return table
}

// unpackNibbles writes what the nibbles of 32 columns of a tile stand for.
func unpackNibbles(dst, nibbles []byte, values *nibbleBytes) {
	const half = 16 * tensor.TileRows
	w, lo, hi := nibbles[:half], dst[:half], dst[half:2*half]
	for i := 0; i < half; i += 4 {
		four := values[w[i]] | values[w[i+1]]<<8 | values[w[i+2]]<<16 | values[w[i+3]]<<24
		binary.LittleEndian.PutUint32(lo[i:], uint32(four))
		binary.LittleEndian.PutUint32(hi[i:], uint32(four>>32))
	}
}
