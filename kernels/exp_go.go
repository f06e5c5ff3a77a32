package kernels

import "math"

// exp32 returns e^x within 2 units in the last place. It splits x = n·ln 2 + r with |r| ≤ ½ ln 2 (ln 2 in two parts, as Cody
// and Waite do) and sums e^r from its Taylor series up to r^7, whose remainder is below 2^-26. What leaves the range of normal
// numbers, and NaN, goes to [math.Exp].
func exp32(x float32) float32 {
	const (
		log2e = 1.44269504088896340736
		ln2Hi = 0x1.62e4p-1           // 15 bits: n·ln2Hi is exact
		ln2Lo = 0x1.7f7d1cf79abcap-20 // ln 2 − ln2Hi
		round = 0x1.8p23              // adding it rounds to an integer in the low bits
	)
	if !(x > -87 && x < 88) {
		return float32(math.Exp(float64(x)))
	}
	shifted := float32(x*log2e) + round
	n := shifted - round
	r := x - n*ln2Hi - n*ln2Lo
	p := float32(1.0/5040)*r + 1.0/720
	p = p*r + 1.0/120
	p = p*r + 1.0/24
	p = p*r + 1.0/6
	p = p*r + 1.0/2
	p = p*r + 1
	p = p*r + 1
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(shifted)<<23)
}
