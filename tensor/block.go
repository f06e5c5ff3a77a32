package tensor

// Elements of a block of the simple quantised formats, and of the "K" formats.
const (
	smallBlock = 32
	superBlock = 256
)

// Offsets in bytes of the fields of one block in its GGUF form, and its size. The names of the fields are those of the
// format: d (scale), m (minimum), dmin (scale of the minima), scales, qs and ql (low bits), qh (high bits).
const (
	q40D, q40Qs, q40Bytes = 0, 2, q40Qs + smallBlock/2

	q41D, q41M, q41Qs, q41Bytes = 0, 2, 4, q41Qs + smallBlock/2

	q50D, q50Qh, q50Qs, q50Bytes = 0, 2, q50Qh + smallBlock/8, q50Qs + smallBlock/2

	q51D, q51M, q51Qh, q51Qs, q51Bytes = 0, 2, 4, q51Qh + smallBlock/8, q51Qs + smallBlock/2

	q80D, q80Qs, q80Bytes = 0, 2, q80Qs + smallBlock

	q4kD, q4kDmin, q4kScales = 0, 2, 4
	q4kQs, q4kBytes          = q4kScales + 12, q4kQs + superBlock/2

	q5kD, q5kDmin, q5kScales = 0, 2, 4
	q5kQh, q5kQs, q5kBytes   = q5kScales + 12, q5kQh + superBlock/8, q5kQs + superBlock/2

	q6kQl, q6kQh, q6kScales = 0, superBlock / 2, q6kQh + superBlock/4
	q6kD, q6kBytes          = q6kScales + superBlock/16, q6kD + 2
)

// The sizes that files are made of. An index other than 0 does not compile.
var (
	_ = [1]int{}[q40Bytes-18]
	_ = [1]int{}[q41Bytes-20]
	_ = [1]int{}[q50Bytes-22]
	_ = [1]int{}[q51Bytes-24]
	_ = [1]int{}[q80Bytes-34]
	_ = [1]int{}[q4kBytes-144]
	_ = [1]int{}[q5kBytes-176]
	_ = [1]int{}[q6kBytes-210]
)

// scaleMin returns the j-th (0..7) 6-bit scale and minimum from the 12 bytes in which the formats Q4_K and Q5_K keep them:
// the first four of each kind stand in the low 6 bits of bytes 0..3 and 4..7; of the last four, the low 4 bits stand in bytes
// 8..11 (scale low nibble, minimum high nibble) and the high 2 bits above those of the first four.
func scaleMin(scales []byte, j int) (scale, minimum uint8) {
	if j < 4 {
		return scales[j] & 63, scales[j+4] & 63
	}
	return scales[j+4]&15 | scales[j-4]>>6<<4, scales[j+4]>>4 | scales[j]>>6<<4
}
