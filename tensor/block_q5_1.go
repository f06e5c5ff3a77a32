package tensor

import "encoding/binary"

const q51D, q51M, q51Qh, q51Qs, q51Bytes = 0, 2, 4, q51Qh + smallBlock/8, q51Qs + smallBlock/2

var _ = [1]int{}[q51Bytes-24]

var formatQ5_1 = format{name: "q5_1", blockElems: smallBlock, blockBytes: q51Bytes, decode: decodeQ5_1}

// decodeQ5_1 is decodeQ5_0 with a minimum in place of the middle.
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q51Bytes:] {
		d, m, qh := f16At(src, q51D), f16At(src, q51M), binary.LittleEndian.Uint32(src[q51Qh:])
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range src[q51Qs:q51Bytes] {
			lo[i] = d*float32(uint32(q&15)|qh>>i&1<<4) + m
			hi[i] = d*float32(uint32(q>>4)|qh>>(i+smallBlock/2)&1<<4) + m
		}
	}
}
