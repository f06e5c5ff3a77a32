package arm64

import "github.com/lever-go/lever/tensor"

// Several rows are multiplied one by one: the unpacking that they could share is a small part of the work here.
var (
	q4Neon = blocked{dtype: tensor.Q4_0, x: &rowLayout, gemv: gemvQ4Neon}
	q8Neon = blocked{dtype: tensor.Q8_0, x: &rowLayout, gemv: gemvQ8Neon}

	unpackedNeon = blocked{dtype: unpackedType, x: &rowLayout, gemv: gemvUnpackedNeon}
	minimaNeon   = blocked{dtype: unpackedType, x: &rowLayout, gemv: gemvMinimaNeon}
)

// unpackedType stands for an unpacked tile, whose blocks have as many columns; a product has but one.
const unpackedType = tensor.Q8_0

// gemvQ4Neon is gemvQ4Dotprod on processors without SDOT.
//
//go:noescape
func gemvQ4Neon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemvQ8Neon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemvUnpackedNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemvMinimaNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
