// Instructions that the Go assembler does not know, as macros over the numbers of their registers: 3 is V3. Operands stand
// in the order of Go's own instructions, the destination last: FSUB4(m, n, d) is Vd = Vn - Vm, as in VSUB Vm, Vn, Vd.
// internal/enctest holds every macro to the word that another assembler makes of it.
//
// A name ends in the shape of the result: 4 is four 32-bit lanes (S4), 8 is eight 16-bit lanes (H8), E has one element of
// Vm for all lanes. Instructions that end in H read the upper halves of their sources (mnemonics with a 2).

#define ENC2(base, n, d)    WORD $((base) | ((n)<<5) | (d))
#define ENC3(base, m, n, d) WORD $((base) | ((m)<<16) | ((n)<<5) | (d))
// Element i (0..3) of a 32-bit lane index: its low bit is bit 21, its high bit is bit 11.
#define ENCE(base, m, i, n, d) WORD $((base) | (((i)&1)<<21) | (((i)>>1)<<11) | ((m)<<16) | ((n)<<5) | (d))

// Dot products of four bytes for each 32-bit lane: Vd += Vn·Vm. USDOT takes Vn as unsigned bytes.
#define SDOTE(m, i, n, d)  ENCE(0x4f80e000, m, i, n, d) // Vm's four bytes of lane i for all lanes
#define SDOT16(m, n, d)    ENC3(0x4e809400, m, n, d)
#define USDOTE(m, i, n, d) ENCE(0x4f80f000, m, i, n, d)

// Matrix products of bytes: Vd, 2×2 row-major, += Vn, 2×8, times the transpose of Vm, 2×8. USMMLA takes Vn as unsigned.
#define SMMLA(m, n, d)  ENC3(0x4e80a400, m, n, d)
#define USMMLA(m, n, d) ENC3(0x4e80ac00, m, n, d)

// Products and sums of bytes and halfwords.
#define SMULL8(m, n, d)   ENC3(0x0e20c000, m, n, d) // Vd.H8 = Vn.B8 · Vm.B8
#define SMULLH8(m, n, d)  ENC3(0x4e20c000, m, n, d)
#define SMLAL8(m, n, d)   ENC3(0x0e208000, m, n, d) // Vd.H8 += Vn.B8 · Vm.B8
#define SMLALH8(m, n, d)  ENC3(0x4e208000, m, n, d)
#define SADDLP4(n, d)     ENC2(0x4e602800, n, d) // Vd.S4 = sums of neighbours of Vn.H8
#define SADALP4(n, d)     ENC2(0x4e606800, n, d) // Vd.S4 += sums of neighbours of Vn.H8
#define ADDP4(m, n, d)    ENC3(0x4ea0bc00, m, n, d) // sums of neighbours, of Vn, then of Vm
#define MLS16(m, n, d)    ENC3(0x6e209400, m, n, d) // Vd -= Vn·Vm, modulo 256
#define SUB16(m, n, d)    ENC3(0x6e208400, m, n, d)
#define MUL4(m, n, d)     ENC3(0x4ea09c00, m, n, d)
#define MLA4(m, n, d)     ENC3(0x4ea09400, m, n, d) // Vd += Vn·Vm
#define SMLAL4(m, n, d)   ENC3(0x0e608000, m, n, d) // Vd.S4 += Vn.H4 · Vm.H4
#define SMLALH4(m, n, d)  ENC3(0x4e608000, m, n, d)
// Vd.S4 += Vn.H4 · element i (0..7) of Vm.H8, m below 16.
#define SMLALE4(m, i, n, d)  WORD $(0x0f402000 | (((i)&3)<<20) | (((i)>>2)<<11) | ((m)<<16) | ((n)<<5) | (d))
#define SMLALEH4(m, i, n, d) WORD $(0x4f402000 | (((i)&3)<<20) | (((i)>>2)<<11) | ((m)<<16) | ((n)<<5) | (d))

// Widening and narrowing of integers.
#define SSHLL8(s, n, d)  WORD $(0x0f08a400 | ((s)<<16) | ((n)<<5) | (d)) // Vd.H8 = Vn.B8 << s, signed
#define SSHLLH8(s, n, d) WORD $(0x4f08a400 | ((s)<<16) | ((n)<<5) | (d))
#define SSHLL4(s, n, d)  WORD $(0x0f10a400 | ((s)<<16) | ((n)<<5) | (d)) // Vd.S4 = Vn.H4 << s, signed
#define SSHLLH4(s, n, d) WORD $(0x4f10a400 | ((s)<<16) | ((n)<<5) | (d))
#define SQXTN4(n, d)     ENC2(0x0e614800, n, d) // Vd.H4 = Vn.S4, saturated
#define SQXTNH4(n, d)    ENC2(0x4e614800, n, d)
#define SQXTN8(n, d)     ENC2(0x0e214800, n, d) // Vd.B8 = Vn.H8, saturated
#define SQXTNH8(n, d)    ENC2(0x4e214800, n, d)
#define XTN4(n, d)       ENC2(0x0e612800, n, d) // Vd.H4 = Vn.S4, cut off
#define XTNH4(n, d)      ENC2(0x4e612800, n, d)
#define USHLL8(n, d)     ENC2(0x2f08a400, n, d) // Vd.H8 = Vn.B8, unsigned
#define USHLLH8(n, d)    ENC2(0x6f08a400, n, d)
#define USHLL4(n, d)     ENC2(0x2f10a400, n, d) // Vd.S4 = Vn.H4, unsigned
#define USHLLH4(n, d)    ENC2(0x6f10a400, n, d)
#define SSHR4(s, n, d)   WORD $(0x4f000400 | ((64-(s))<<16) | ((n)<<5) | (d))

// float32 arithmetic, four lanes.
#define FADD4(m, n, d)     ENC3(0x4e20d400, m, n, d)
#define FSUB4(m, n, d)     ENC3(0x4ea0d400, m, n, d)
#define FMUL4(m, n, d)     ENC3(0x6e20dc00, m, n, d)
#define FDIV4(m, n, d)     ENC3(0x6e20fc00, m, n, d)
#define FMULE(m, i, n, d)  ENCE(0x4f809000, m, i, n, d)
#define FMLAE(m, i, n, d)  ENCE(0x4f801000, m, i, n, d) // Vd += Vn·Vm[i]
#define FMLSE(m, i, n, d)  ENCE(0x4f805000, m, i, n, d) // Vd -= Vn·Vm[i]
// Vd.H8 += Vn.H8 · element i (0..7) of Vm.H8, m below 16.
#define FMLAE8(m, i, n, d) WORD $(0x4f001000 | (((i)&3)<<20) | (((i)>>2)<<11) | ((m)<<16) | ((n)<<5) | (d))
// Vd.S4 += Vn.H4 · Vm.H4, with one rounding.
#define FMLAL4(m, n, d)    ENC3(0x4e20ec00, m, n, d)
#define FMLALH4(m, n, d)   ENC3(0x6e20cc00, m, n, d)
#define FADDP4(m, n, d)    ENC3(0x6e20d400, m, n, d)    // sums of neighbours, of Vn, then of Vm
#define FADDPS(n, d)       ENC2(0x7e30d800, n, d)       // Sd = Vn[0] + Vn[1]
#define FABS4(n, d)        ENC2(0x4ea0f800, n, d)
#define FNEG4(n, d)        ENC2(0x6ea0f800, n, d)
#define FMAX4(m, n, d)     ENC3(0x4e20f400, m, n, d) // NaN wins
#define FMIN4(m, n, d)     ENC3(0x4ea0f400, m, n, d) // NaN wins
#define FMAXNM4(m, n, d)   ENC3(0x4e20c400, m, n, d) // NaN loses
#define FMAXNMV(n, d)      ENC2(0x6e30c800, n, d)    // Sd = largest lane, NaN loses
#define FCMEQ4(m, n, d)    ENC3(0x4e20e400, m, n, d) // all ones where Vn = Vm
#define FCMGT4(m, n, d)    ENC3(0x6ea0e400, m, n, d) // all ones where Vn > Vm
#define FCMGE4(m, n, d)    ENC3(0x6e20e400, m, n, d)
#define UMAXV4(n, d)       ENC2(0x6eb0a800, n, d)    // Sd = largest lane, unsigned
#define FADD2(m, n, d)     ENC3(0x4e60d400, m, n, d) // two float64
#define FADDPD(n, d)       ENC2(0x7e70d800, n, d)    // Dd = Vn[0] + Vn[1]

// Conversions.
#define FCVTL4(n, d)  ENC2(0x0e217800, n, d) // Vd.S4 = Vn.H4 as float32
#define FCVTLH4(n, d) ENC2(0x4e217800, n, d)
#define FCVTN4(n, d)  ENC2(0x0e216800, n, d) // Vd.H4 = Vn.S4 as float16, to nearest even
#define FCVTNH4(n, d) ENC2(0x4e216800, n, d)
#define FCVTL2(n, d)  ENC2(0x0e617800, n, d) // Vd.D2 = Vn.S2 as float64
#define FCVTLH2(n, d) ENC2(0x4e617800, n, d)
#define SCVTF4(n, d)  ENC2(0x4e21d800, n, d)
#define FCVTNS4(n, d) ENC2(0x4e21a800, n, d) // int32, to nearest even, saturated, NaN is 0
#define FRINTN4(n, d) ENC2(0x4e218800, n, d)

// Instructions that the Go assembler knows, for macros that are given numbers.
#define AND16(m, n, d)  ENC3(0x4e201c00, m, n, d)
#define BIC16(m, n, d)  ENC3(0x4e601c00, m, n, d) // Vn without the bits of Vm
#define DUP4(i, n, d)   WORD $(0x4e040400 | ((i)<<19) | ((n)<<5) | (d)) // lane i of Vn to all of Vd.S4
#define TBL16(m, n, d)  ENC3(0x4e000000, m, n, d) // bytes of Vn that Vm counts, 0 where there are none
#define ORR16(m, n, d)  ENC3(0x4ea01c00, m, n, d)
#define EOR16(m, n, d)  ENC3(0x6e201c00, m, n, d)
#define CMTST16(m, n, d) ENC3(0x4e208c00, m, n, d) // all ones in bytes where Vn and Vm share a bit
#define CMEQ4(m, n, d)  ENC3(0x6ea08c00, m, n, d) // all ones where Vn = Vm
#define SUB4(m, n, d)   ENC3(0x6ea08400, m, n, d)
#define CNT16(n, d)     ENC2(0x4e205800, n, d) // bits set in each byte
#define ZIP1B(m, n, d)  ENC3(0x4e003800, m, n, d) // bytes of Vn and Vm in turn, of their lower halves
#define ZIP2B(m, n, d)  ENC3(0x4e007800, m, n, d)
#define SHL4(s, n, d)   WORD $(0x4f005400 | ((32+(s))<<16) | ((n)<<5) | (d))
#define BIT16(m, n, d)  ENC3(0x6ea01c00, m, n, d) // the bits of Vn where those of Vm are set
#define ADD4(m, n, d)   ENC3(0x4ea08400, m, n, d)
#define ZERO(d)         ENC3(0x6e201c00, d, d, d)
#define MOVI0(d)        WORD $(0x6f00e400 | (d)) // Vd = 0, of which renaming takes care
#define SHL16(s, n, d)  WORD $(0x4f085400 | ((s)<<16) | ((n)<<5) | (d))
#define USHR16(s, n, d) WORD $(0x6f000400 | ((16-(s))<<16) | ((n)<<5) | (d))
#define USHR4(s, n, d)  WORD $(0x6f000400 | ((64-(s))<<16) | ((n)<<5) | (d))
#define FMLA4(m, n, d)  ENC3(0x4e20cc00, m, n, d)
#define FMLS4(m, n, d)  ENC3(0x4ea0cc00, m, n, d) // Vd -= Vn·Vm
#define UZP1B(m, n, d)  ENC3(0x4e001800, m, n, d) // even bytes of Vn, then of Vm
#define UZP18(m, n, d)  ENC3(0x4e401800, m, n, d) // even halfwords
#define UZP14(m, n, d)  ENC3(0x4e801800, m, n, d) // even lanes of Vn, then of Vm
#define UZP24(m, n, d)  ENC3(0x4e805800, m, n, d) // odd lanes
#define STQ(r, d)       WORD $(0x3d800000 | ((r)<<5) | (d)) // store Vd at Rr
#define STQAT(r, i, d)  WORD $(0x3d800000 | ((i)<<10) | ((r)<<5) | (d)) // store Vd at Rr + 16i
#define LDQ(r, i, d)    WORD $(0x3dc00000 | ((i)<<10) | ((r)<<5) | (d)) // load Vd from Rr + 16i
