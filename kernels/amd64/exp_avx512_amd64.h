#include "exp_amd64.h"

// EXP_CONSTANTS fills Z16 … Z26; EXP replaces x by e^x and uses n and p.
#define EXP_CONSTANTS \
	VBROADCASTSS expData<>+0(SB), Z16  \
	VBROADCASTSS expData<>+4(SB), Z17  \
	VBROADCASTSS expData<>+8(SB), Z18  \
	VBROADCASTSS expData<>+12(SB), Z19 \
	VBROADCASTSS expData<>+16(SB), Z20 \
	VBROADCASTSS expData<>+20(SB), Z21 \
	VBROADCASTSS expData<>+24(SB), Z22 \
	VBROADCASTSS expData<>+28(SB), Z23 \
	VBROADCASTSS expData<>+32(SB), Z24 \
	VBROADCASTSS expData<>+36(SB), Z25 \
	VBROADCASTSS expData<>+40(SB), Z26

#define EXP(x, n, p) \
	VMINPS       x, Z16, x     \
	VMAXPS       x, Z17, x     \
	VMULPS       Z18, x, n     \
	VRNDSCALEPS  $0, n, n      \
	VFNMADD231PS Z19, n, x     \
	VFNMADD231PS Z20, n, x     \
	VMOVAPS      Z21, p        \
	VFMADD213PS  Z22, x, p     \
	VFMADD213PS  Z23, x, p     \
	VFMADD213PS  Z24, x, p     \
	VFMADD213PS  Z25, x, p     \
	VFMADD213PS  Z26, x, p     \
	VFMADD213PS  Z26, x, p     \
	VSCALEFPS    n, p, x
