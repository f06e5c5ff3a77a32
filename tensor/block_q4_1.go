package tensor

const q41D, q41M, q41Qs, q41Bytes = 0, 2, 4, q41Qs + smallBlock/2

var _ = [1]int{}[q41Bytes-20]

var formatQ4_1 = format{name: "q4_1", blockElems: smallBlock, blockBytes: q41Bytes, decode: decodeQ4_1}

func decodeQ4_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q41Bytes:] {
		d, m := f16At(src, q41D), f16At(src, q41M)
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range src[q41Qs:q41Bytes] {
			lo[i] = d*float32(q&15) + m
			hi[i] = d*float32(q>>4) + m
		}
	}
}
