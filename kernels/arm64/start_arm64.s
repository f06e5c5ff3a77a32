#include "textflag.h"

// What sums begin with: four times 1.5·2^23, then eight zeros. A load of them takes no turn of the vector units.
DATA ·start+0(SB)/8, $0x4b4000004b400000
DATA ·start+8(SB)/8, $0x4b4000004b400000
DATA ·start+16(SB)/8, $0
DATA ·start+24(SB)/8, $0
DATA ·start+32(SB)/8, $0
DATA ·start+40(SB)/8, $0
GLOBL ·start(SB), RODATA|NOPTR, $48
