// The exponential function: e^x = 2^n·e^r with n the integer nearest to x/ln 2 and r = x - n·ln 2, ln 2 in two parts (Cody and
// Waite); e^r = 1 + r + r²·P(r), P of degree 4 fitted to the least relative error. Within 1 unit in the last place. The upper
// clamp is where e^x overflows, the lower where it rounds to 0; a NaN passes both.

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
