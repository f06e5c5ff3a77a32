//go:build !linux

package arm64

// hasSME2 reports false where signals are not known to leave ZA alone: xnu delivers one without leaving streaming mode
// (bsd/dev/arm/unix_signal.c), and Go's runtime preempts by signals.
func hasSME2() bool { return false }
