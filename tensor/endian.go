//go:build armbe || arm64be || m68k || mips || mips64 || mips64p32 || ppc || ppc64 || s390 || s390x || sparc || sparc64

package tensor

// Typed slices view little-endian storage in place; on other machines this line stops the build.
var _ = tensorNeedsALittleEndianMachine
