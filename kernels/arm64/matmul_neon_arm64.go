package arm64

// Several rows are multiplied one by one: the unpacking that they could share is a small part of the work here.
var (
	q4Neon = blocked{elems: 32, bytes: 288, x: &rowLayout, gemv: gemvQ4Neon}
	q8Neon = blocked{elems: 32, bytes: 544, x: &rowLayout, gemv: gemvQ8Neon}
)

func matMulQ4Q8Neon(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	q4Neon.run(dst, ldd, w, tiles, q, n, k)
}

func matMulQ8Q8Neon(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	q8Neon.run(dst, ldd, w, tiles, q, n, k)
}

// gemvQ4Neon is gemvQ4Dotprod on processors without SDOT.
//
//go:noescape
func gemvQ4Neon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemvQ8Neon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
