// The exponential function of 8 lanes, as in exp_avx512_amd64.h; 2^n is multiplied in two factors, each of which is a normal
// number.

DATA expData<>+0(SB)/4, $0x42b20000  // 89
DATA expData<>+4(SB)/4, $0xc2d00000  // -104
DATA expData<>+8(SB)/4, $0x3fb8aa3b  // 1/ln 2
DATA expData<>+12(SB)/4, $0x3f318000 // ln 2, upper part
DATA expData<>+16(SB)/4, $0xb95e8083 // ln 2, lower part
DATA expData<>+20(SB)/4, $0x3ab511e7 // P, highest power first
DATA expData<>+24(SB)/4, $0x3c091d10
DATA expData<>+28(SB)/4, $0x3d2aac79
DATA expData<>+32(SB)/4, $0x3e2aaa49
DATA expData<>+36(SB)/4, $0x3efffffe
DATA expData<>+40(SB)/4, $0x3f800000 // 1
GLOBL expData<>(SB), RODATA|NOPTR, $44

// EXP replaces x by e^x and uses n, p and t.
#define EXP(x, n, p, t) \
	VBROADCASTSS expData<>+0(SB), t  \
	VMINPS       x, t, x             \
	VBROADCASTSS expData<>+4(SB), t  \
	VMAXPS       x, t, x             \
	VBROADCASTSS expData<>+8(SB), t  \
	VMULPS       t, x, n             \
	VROUNDPS     $0, n, n            \
	VBROADCASTSS expData<>+12(SB), t \
	VFNMADD231PS t, n, x             \
	VBROADCASTSS expData<>+16(SB), t \
	VFNMADD231PS t, n, x             \
	VBROADCASTSS expData<>+20(SB), p \
	VBROADCASTSS expData<>+24(SB), t \
	VFMADD213PS  t, x, p             \
	VBROADCASTSS expData<>+28(SB), t \
	VFMADD213PS  t, x, p             \
	VBROADCASTSS expData<>+32(SB), t \
	VFMADD213PS  t, x, p             \
	VBROADCASTSS expData<>+36(SB), t \
	VFMADD213PS  t, x, p             \
	VBROADCASTSS expData<>+40(SB), t \
	VFMADD213PS  t, x, p             \
	VFMADD213PS  t, x, p             \
	VCVTPS2DQ    n, n                \
	VPSRAD       $1, n, x            \
	VPSUBD       x, n, n             \
	VPSLLD       $23, x, x           \
	VPSLLD       $23, n, n           \
	VPADDD       t, x, x             \
	VPADDD       t, n, n             \
	VMULPS       p, x, x             \
	VMULPS       n, x, x
