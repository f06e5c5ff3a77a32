//go:build !linux && !darwin

package arm64

// hasSME2 reports false where signals are not known to leave ZA alone.
func hasSME2() bool { return false }
