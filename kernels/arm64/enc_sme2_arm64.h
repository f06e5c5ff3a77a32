// Instructions of SME2, and of the part of SVE that runs in streaming mode, in the manner of enc_arm64.h, which is included
// before. A register is a Z register, of as many lanes as the vector length has; all lanes count: the predicate is P0, which
// PTRUEB(0) sets. ZA is, in 32-bit lanes, four square tiles 0 … 3: row i of tile t is row 4i+t of ZA. Names end in the lanes'
// shape; Z4 stands for four registers from the one named on, whose number is a multiple of 4, and ZA4 for the four rows W, W+S,
// W+2S, W+3S of ZA, where S is a quarter of its rows and W is register 8+w plus off.
#define SMSTART      WORD $0xd503477f // turns streaming mode and ZA on, with all Z registers and ZA zero
#define SMSTOP       WORD $0xd503467f // turns both off
#define RDSVL(d)     WORD $(0x04bf5820 | (d)) // Rd = bytes of a Z register in streaming mode
#define PTRUEB(p)    WORD $(0x2518e3e0 | (p))
#define WHILELT(r, p) WORD $(0x25a017e0 | ((r)<<16) | (p)) // Pp = the first Rr of the 32-bit lanes, of fewer if there are as many
#define ZEROZA(mask) WORD $(0xc0080000 | (mask)) // zeroes tile t where bits t and t+4 of mask are set
#define LD1B(m, n, d)  ENC3(0xa4004000, m, n, d) // bytes at Rn + Rm
#define LD1W(m, n, d)  ENC3(0xa5404000, m, n, d) // 32-bit lanes at Rn + 4Rm
#define LD1WAT(n, d)   ENC2(0xa540a000, n, d)    // at Rn
#define LD1HWAT(n, d)  ENC2(0xa4c0a000, n, d)    // 16 bits for each 32-bit lane, above them zeros
#define LD1SBH(m, n, d)  ENC3(0xa5c04000, m, n, d) // signed bytes at Rn + Rm for 16-bit lanes
#define LD1SBHAT(n, d)   ENC2(0xa5c0a000, n, d)
#define LD1BSAT(n, d)    ENC2(0xa440a000, n, d) // bytes for 32-bit lanes
#define LD1SBSAT(n, d)   ENC2(0xa5a0a000, n, d) // signed bytes for 32-bit lanes
#define LD1WH(t, w, p, n) WORD $(0xe09f0000 | ((w)<<13) | ((p)<<10) | ((n)<<5) | ((t)<<2)) // row R(12+w) of tile t at Rn, zeros where Pp is not set
#define DUPZ(r, d)     ENC2(0x05a03800, r, d)    // Rr to all 32-bit lanes
#define FCVTZ(n, d)    ENC2(0x6589a000, n, d)    // lanes of float16, of 32 bits each, as float32
#define LSLZB(s, n, d) WORD $(0x04289c00 | ((s)<<16) | ((n)<<5) | (d))
#define LSRZ(s, n, d)  WORD $(0x04609400 | ((32-(s))<<16) | ((n)<<5) | (d)) // 32-bit lanes
#define LSLZ(s, n, d)  WORD $(0x04609c00 | ((s)<<16) | ((n)<<5) | (d))
#define ANDZ(m, n, d)  ENC3(0x04203000, m, n, d)
#define ORRZ(m, n, d)  ENC3(0x04603000, m, n, d)
#define MULZH(m, n, d) ENC3(0x04606000, m, n, d) // 16-bit lanes, modulo 65536
#define SUBZH(m, n, d) ENC3(0x04600400, m, n, d)
#define SCVTFZ4(n, d)  ENC2(0xc132e000, n, d)
// Outer products: lane i of Vn, for the rows, times lane j of Vm, added to row i, column j of tile t.
#define SMOPAB(m, n, t)  ENC3(0xa0800000, m, n, t) // four signed bytes a lane
#define USMOPAB(m, n, t) ENC3(0xa1800000, m, n, t) // four bytes a lane, those of Vn unsigned
#define SMOPAH(m, n, t)  ENC3(0xa0800008, m, n, t) // two signed 16-bit numbers a lane
#define FMOPA(m, n, t)   ENC3(0x80800000, m, n, t) // one float32, fused
#define READZA4(w, off, d)     WORD $(0xc0060c00 | ((w)<<13) | ((off)<<5) | (d))
#define FMLAZA4(w, off, m, n)  WORD $(0xc1a11800 | ((m)<<16) | ((w)<<13) | ((n)<<5) | (off)) // += Z4 n times Z4 m
#define FMLSZA4(w, off, m, n)  WORD $(0xc1a11808 | ((m)<<16) | ((w)<<13) | ((n)<<5) | (off)) // -=
#define FMLAZA4X(w, off, m, n) WORD $(0xc1301800 | ((m)<<16) | ((w)<<13) | ((n)<<5) | (off)) // += Z4 n times Zm, m below 16
#define ST1WV(t, w, n)   WORD $(0xe0bf8000 | ((w)<<13) | ((n)<<5) | ((t)<<2)) // store column R(12+w) of tile t at Rn
#define READV(t, w, d)   WORD $(0xc0828000 | ((w)<<13) | ((t)<<7) | (d)) // Zd = column R(12+w) of tile t
