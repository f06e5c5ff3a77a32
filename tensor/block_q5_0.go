package tensor

import "encoding/binary"

const q50D, q50Qh, q50Qs, q50Bytes = 0, 2, q50Qh + smallBlock/8, q50Qs + smallBlock/2

var _ = [1]int{}[q50Bytes-22]

var formatQ5_0 = format{name: "q5_0", blockElems: smallBlock, blockBytes: q50Bytes, decode: decodeQ5_0}

// decodeQ5_0: bit i of qh is the fifth bit of element i.
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q50Bytes:] {
		d, qh := f16At(src, q50D), binary.LittleEndian.Uint32(src[q50Qh:])
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range src[q50Qs:q50Bytes] {
			lo[i] = d * float32(int(uint32(q&15)|qh>>i&1<<4)-16)
			hi[i] = d * float32(int(uint32(q>>4)|qh>>(i+smallBlock/2)&1<<4)-16)
		}
	}
}
