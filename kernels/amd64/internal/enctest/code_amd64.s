#include "textflag.h"
#include "../../amx_amd64.h"

// The instructions stand in the order of the test's list.
TEXT instructions<>(SB), NOSPLIT|NOFRAME, $0-0
	TILELOADD(0x12345, 0, 1, 0)
	TILELOADD(-0x12345, 7, 14, 7)
	TILELOADD(0x7ffffff, 12, 3, 5)
	TILELOADD(0x80, 13, 15, 2)
	TILELOADD(0x1000, 4, 5, 3)
	TILESTORED(0, 0x12345, 0, 1)
	TILESTORED(7, -0x12345, 7, 14)
	TILESTORED(5, 0x7ffffff, 12, 3)
	LDTILECFG(0)
	LDTILECFG(7)
	TILERELEASE
	TILEZERO(0)
	TILEZERO(5)
	TDPBSSD(2, 1, 0)
	TDPBSSD(7, 4, 3)
	TDPBSSD(0, 5, 7)
	RET

// func code() *byte
TEXT ·code(SB), NOSPLIT, $0-8
	LEAQ instructions<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
