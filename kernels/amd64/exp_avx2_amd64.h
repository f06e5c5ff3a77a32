#include "exp_amd64.h"

// EXP replaces x by e^x and uses n, p and t, in which it leaves 1. 2^n is multiplied in two factors, each a normal number.
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
