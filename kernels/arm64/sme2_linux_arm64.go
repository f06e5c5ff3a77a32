package arm64

import "golang.org/x/sys/unix"

// hasSME2 reports whether the kernel lets programs use SME2 (Android's does as well), and with it the outer products of bytes,
// of 16-bit numbers and of float32.
func hasSME2() bool {
	const (
		atHWCAP2 = 26
		i8i32    = 1 << 26
		f32f32   = 1 << 29
		sme2     = 1 << 37
		i16i32   = 1 << 39
		all      = i8i32 | f32f32 | sme2 | i16i32
	)
	auxv, err := unix.Auxv()
	if err != nil {
		return false
	}
	for _, entry := range auxv {
		if entry[0] == atHWCAP2 {
			return entry[1]&all == all && vectorLengthKnown()
		}
	}
	return false
}
