package enctest

import (
	"fmt"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unsafe"
)

// encodings lists the instructions of func words with their words.
var encodings = []struct {
	text string
	word uint32
}{
	{"sdot v9.4s, v17.16b, v3.4b[0]", 0x4f83e229},
	{"sdot v28.4s, v21.16b, v26.4b[1]", 0x4fbae2bc},
	{"sdot v9.4s, v17.16b, v3.4b[2]", 0x4f83ea29},
	{"sdot v28.4s, v21.16b, v26.4b[3]", 0x4fbaeabc},
	{"sdot v28.4s, v21.16b, v26.16b", 0x4e9a96bc},
	{"usdot v9.4s, v17.16b, v3.4b[0]", 0x4f83f229},
	{"usdot v28.4s, v21.16b, v26.4b[1]", 0x4fbaf2bc},
	{"usdot v9.4s, v17.16b, v3.4b[2]", 0x4f83fa29},
	{"usdot v28.4s, v21.16b, v26.4b[3]", 0x4fbafabc},
	{"smmla v28.4s, v21.16b, v26.16b", 0x4e9aa6bc},
	{"usmmla v28.4s, v21.16b, v26.16b", 0x4e9aaebc},
	{"smull v28.8h, v21.8b, v26.8b", 0x0e3ac2bc},
	{"smull2 v28.8h, v21.16b, v26.16b", 0x4e3ac2bc},
	{"smlal v28.8h, v21.8b, v26.8b", 0x0e3a82bc},
	{"smlal2 v28.8h, v21.16b, v26.16b", 0x4e3a82bc},
	{"saddlp v28.4s, v21.8h", 0x4e602abc},
	{"sadalp v28.4s, v21.8h", 0x4e606abc},
	{"mul v28.4s, v21.4s, v26.4s", 0x4eba9ebc},
	{"mla v28.4s, v21.4s, v26.4s", 0x4eba96bc},
	{"sshll v28.8h, v21.8b, #0", 0x0f08a6bc},
	{"sshll2 v28.8h, v21.16b, #0", 0x4f08a6bc},
	{"sshll v28.8h, v21.8b, #7", 0x0f0fa6bc},
	{"sshll2 v28.8h, v21.16b, #7", 0x4f0fa6bc},
	{"sshll v28.4s, v21.4h, #0", 0x0f10a6bc},
	{"sshll2 v28.4s, v21.8h, #0", 0x4f10a6bc},
	{"sshll v28.4s, v21.4h, #13", 0x0f1da6bc},
	{"sshll2 v28.4s, v21.8h, #13", 0x4f1da6bc},
	{"sqxtn v28.4h, v21.4s", 0x0e614abc},
	{"sqxtn2 v28.8h, v21.4s", 0x4e614abc},
	{"sqxtn v28.8b, v21.8h", 0x0e214abc},
	{"sqxtn2 v28.16b, v21.8h", 0x4e214abc},
	{"xtn v28.4h, v21.4s", 0x0e612abc},
	{"xtn2 v28.8h, v21.4s", 0x4e612abc},
	{"sshr v28.4s, v21.4s, #1", 0x4f3f06bc},
	{"sshr v28.4s, v21.4s, #31", 0x4f2106bc},
	{"fadd v28.4s, v21.4s, v26.4s", 0x4e3ad6bc},
	{"fsub v28.4s, v21.4s, v26.4s", 0x4ebad6bc},
	{"fmul v28.4s, v21.4s, v26.4s", 0x6e3adebc},
	{"fdiv v28.4s, v21.4s, v26.4s", 0x6e3afebc},
	{"fmul v9.4s, v17.4s, v3.s[0]", 0x4f839229},
	{"fmul v28.4s, v21.4s, v26.s[1]", 0x4fba92bc},
	{"fmul v9.4s, v17.4s, v3.s[2]", 0x4f839a29},
	{"fmul v28.4s, v21.4s, v26.s[3]", 0x4fba9abc},
	{"fmla v9.4s, v17.4s, v3.s[0]", 0x4f831229},
	{"fmla v28.4s, v21.4s, v26.s[1]", 0x4fba12bc},
	{"fmla v9.4s, v17.4s, v3.s[2]", 0x4f831a29},
	{"fmla v28.4s, v21.4s, v26.s[3]", 0x4fba1abc},
	{"fmls v9.4s, v17.4s, v3.s[0]", 0x4f835229},
	{"fmls v28.4s, v21.4s, v26.s[1]", 0x4fba52bc},
	{"fmls v9.4s, v17.4s, v3.s[2]", 0x4f835a29},
	{"fmls v28.4s, v21.4s, v26.s[3]", 0x4fba5abc},
	{"faddp v28.4s, v21.4s, v26.4s", 0x6e3ad6bc},
	{"faddp s28, v21.2s", 0x7e30dabc},
	{"fabs v28.4s, v21.4s", 0x4ea0fabc},
	{"fneg v28.4s, v21.4s", 0x6ea0fabc},
	{"fmax v28.4s, v21.4s, v26.4s", 0x4e3af6bc},
	{"fmin v28.4s, v21.4s, v26.4s", 0x4ebaf6bc},
	{"fmaxnm v28.4s, v21.4s, v26.4s", 0x4e3ac6bc},
	{"fmaxnmv s28, v21.4s", 0x6e30cabc},
	{"fcmeq v28.4s, v21.4s, v26.4s", 0x4e3ae6bc},
	{"fcmgt v28.4s, v21.4s, v26.4s", 0x6ebae6bc},
	{"fcmge v28.4s, v21.4s, v26.4s", 0x6e3ae6bc},
	{"umaxv s28, v21.4s", 0x6eb0aabc},
	{"fcvtl v28.4s, v21.4h", 0x0e217abc},
	{"fcvtl2 v28.4s, v21.8h", 0x4e217abc},
	{"fcvtn v28.4h, v21.4s", 0x0e216abc},
	{"fcvtn2 v28.8h, v21.4s", 0x4e216abc},
	{"scvtf v28.4s, v21.4s", 0x4e21dabc},
	{"fcvtns v28.4s, v21.4s", 0x4e21aabc},
	{"frintn v28.4s, v21.4s", 0x4e218abc},
	{"and v28.16b, v21.16b, v26.16b", 0x4e3a1ebc},
	{"eor v28.16b, v28.16b, v28.16b", 0x6e3c1f9c},
	{"movi v28.2d, #0000000000000000", 0x6f00e41c},
	{"shl v28.16b, v21.16b, #4", 0x4f0c56bc},
	{"ushr v28.16b, v21.16b, #4", 0x6f0c06bc},
	{"ushr v28.16b, v21.16b, #6", 0x6f0a06bc},
	{"fmla v28.4s, v21.4s, v26.4s", 0x4e3acebc},
	{"str q28, [x10]", 0x3d80015c},
	{"uzp1 v28.4s, v21.4s, v26.4s", 0x4e9a1abc},
	{"uzp2 v28.4s, v21.4s, v26.4s", 0x4e9a5abc},
	{"str q28, [x10, #48]", 0x3d800d5c},
	{"ldr q28, [x10, #48]", 0x3dc00d5c},
	{"fadd v28.2d, v21.2d, v26.2d", 0x4e7ad6bc},
	{"faddp d28, v21.2d", 0x7e70dabc},
	{"fcvtl v28.2d, v21.2s", 0x0e617abc},
	{"fcvtl2 v28.2d, v21.4s", 0x4e617abc},
	{"orr v28.16b, v21.16b, v26.16b", 0x4eba1ebc},
	{"bit v28.16b, v21.16b, v26.16b", 0x6eba1ebc},
	{"add v28.4s, v21.4s, v26.4s", 0x4eba86bc},
	{"ushr v28.4s, v21.4s, #16", 0x6f3006bc},
	{"smlal v28.4s, v21.4h, v10.h[0]", 0x0f4a22bc},
	{"smlal2 v28.4s, v21.8h, v10.h[0]", 0x4f4a22bc},
	{"smlal v28.4s, v21.4h, v10.h[3]", 0x0f7a22bc},
	{"smlal2 v28.4s, v21.8h, v10.h[3]", 0x4f7a22bc},
	{"smlal v28.4s, v21.4h, v10.h[6]", 0x0f6a2abc},
	{"smlal2 v28.4s, v21.8h, v10.h[6]", 0x4f6a2abc},
	{"tbl v28.16b, { v21.16b }, v26.16b", 0x4e1a02bc},
	{"dup v28.4s, v21.s[0]", 0x4e0406bc},
	{"dup v28.4s, v21.s[1]", 0x4e0c06bc},
	{"dup v28.4s, v21.s[2]", 0x4e1406bc},
	{"dup v28.4s, v21.s[3]", 0x4e1c06bc},
	{"addp v28.4s, v21.4s, v26.4s", 0x4ebabebc},
	{"fmla v28.8h, v21.8h, v10.h[0]", 0x4f0a12bc},
	{"fmla v28.8h, v21.8h, v10.h[3]", 0x4f3a12bc},
	{"fmla v28.8h, v21.8h, v10.h[6]", 0x4f2a1abc},
	{"fmlal v28.4s, v21.4h, v26.4h", 0x4e3aeebc},
	{"fmlal2 v28.4s, v21.4h, v26.4h", 0x6e3acebc},
	{"smlal v28.4s, v21.4h, v26.4h", 0x0e7a82bc},
	{"smlal2 v28.4s, v21.8h, v26.8h", 0x4e7a82bc},
	{"mls v28.16b, v21.16b, v26.16b", 0x6e3a96bc},
	{"sub v28.16b, v21.16b, v26.16b", 0x6e3a86bc},
	{"ushll v28.8h, v21.8b, #0", 0x2f08a6bc},
	{"ushll2 v28.8h, v21.16b, #0", 0x6f08a6bc},
	{"ushll v28.4s, v21.4h, #0", 0x2f10a6bc},
	{"ushll2 v28.4s, v21.8h, #0", 0x6f10a6bc},
	{"eor v28.16b, v21.16b, v26.16b", 0x6e3a1ebc},
	{"cmtst v28.16b, v21.16b, v26.16b", 0x4e3a8ebc},
	{"bic v28.16b, v21.16b, v26.16b", 0x4e7a1ebc},
	{"cmeq v28.4s, v21.4s, v26.4s", 0x6eba8ebc},
	{"sub v28.4s, v21.4s, v26.4s", 0x6eba86bc},
	{"cnt v28.16b, v21.16b", 0x4e205abc},
	{"zip1 v28.16b, v21.16b, v26.16b", 0x4e1a3abc},
	{"zip2 v28.16b, v21.16b, v26.16b", 0x4e1a7abc},
	{"shl v28.4s, v21.4s, #23", 0x4f3756bc},
	{"shl v28.16b, v21.16b, #0", 0x4f0856bc},
	{"uzp1 v28.16b, v21.16b, v26.16b", 0x4e1a1abc},
	{"uzp1 v28.8h, v21.8h, v26.8h", 0x4e5a1abc},
	{"smstart", 0xd503477f},
	{"smstop", 0xd503467f},
	{"rdsvl x28, #1", 0x04bf583c},
	{"ptrue p5.b", 0x2518e3e5},
	{"zero {za1.s}", 0xc0080022},
	{"zero {za0.s, za2.s}", 0xc0080055},
	{"ld1b {z28.b}, p0/z, [x21, x26]", 0xa41a42bc},
	{"ld1w {z28.s}, p0/z, [x21, x26, lsl #2]", 0xa55a42bc},
	{"ld1w {z28.s}, p0/z, [x21]", 0xa540a2bc},
	{"ld1h {z28.s}, p0/z, [x21]", 0xa4c0a2bc},
	{"mov z28.s, w21", 0x05a03abc},
	{"fcvt z28.s, p0/m, z21.h", 0x6589a2bc},
	{"lsl z28.b, z21.b, #4", 0x042c9ebc},
	{"scvtf {z28.s - z31.s}, {z20.s - z23.s}", 0xc132e29c},
	{"smopa za3.s, p0/m, p0/m, z21.b, z26.b", 0xa09a02a3},
	{"usmopa za3.s, p0/m, p0/m, z21.b, z26.b", 0xa19a02a3},
	{"smopa za3.s, p0/m, p0/m, z21.h, z26.h", 0xa09a02ab},
	{"fmopa za3.s, p0/m, p0/m, z21.s, z26.s", 0x809a02a3},
	{"mov {z28.d - z31.d}, za.d[w11, 7, vgx4]", 0xc0066cfc},
	{"fmla za.s[w11, 7, vgx4], {z20.s - z23.s}, {z24.s - z27.s}", 0xc1b97a87},
	{"st1w {za3v.s[w15, 0]}, p0, [x21]", 0xe0bfe2ac},
	{"whilelt p5.s, xzr, x21", 0x25b517e5},
	{"ld1w {za3h.s[w15, 0]}, p5/z, [x21]", 0xe09f76ac},
	{"mov z28.s, p0/m, za3v.s[w15, 0]", 0xc082e19c},
	{"ld1sb {z28.h}, p0/z, [x21, x26]", 0xa5da42bc},
	{"ld1sb {z28.h}, p0/z, [x21]", 0xa5c0a2bc},
	{"ld1b {z28.s}, p0/z, [x21]", 0xa440a2bc},
	{"ld1sb {z28.s}, p0/z, [x21]", 0xa5a0a2bc},
	{"lsr z28.s, z21.s, #12", 0x047496bc},
	{"lsl z28.s, z21.s, #16", 0x04709ebc},
	{"and z28.d, z21.d, z26.d", 0x043a32bc},
	{"orr z28.d, z21.d, z26.d", 0x047a32bc},
	{"mul z28.h, z21.h, z26.h", 0x047a62bc},
	{"sub z28.h, z21.h, z26.h", 0x047a06bc},
	{"fmls za.s[w11, 7, vgx4], {z20.s - z23.s}, {z24.s - z27.s}", 0xc1b97a8f},
	{"fmla za.s[w11, 7, vgx4], {z20.s - z23.s}, z14.s", 0xc13e7a87},
}

func TestMacros(t *testing.T) {
	code := unsafe.Slice((*uint32)(reflect.ValueOf(words).UnsafePointer()), len(encodings)+1)
	// The function value of an assembly function is a wrapper; it ends in a jump to the code.
	if code[0] != encodings[0].word {
		code = behindWrapper(t, code)
	}
	for i, e := range encodings {
		if code[i] != e.word {
			t.Errorf("%s: %08x, want %08x", e.text, code[i], e.word)
		}
	}
	const ret = 0xd65f03c0
	if code[len(encodings)] != ret {
		t.Errorf("the list ends before the code")
	}
}

// behindWrapper follows the first branch of a function.
func behindWrapper(t *testing.T, code []uint32) []uint32 {
	for i, w := range code[:16] {
		if op := w >> 26; op == 0b000101 || op == 0b100101 { // b, bl
			offset := int32(w<<6) >> 6
			target := unsafe.Add(unsafe.Pointer(&code[i]), 4*int(offset))
			return unsafe.Slice((*uint32)(target), len(encodings)+1)
		}
	}
	t.Fatal("no branch to the code of func words")
	return nil
}

// TestEncodings asks another assembler whether the list itself is right.
func TestEncodings(t *testing.T) {
	path, err := exec.LookPath("llvm-mc-19")
	if err != nil {
		t.Skip("llvm-mc-19 is not installed (Debian: llvm-19)")
	}
	var source, want strings.Builder
	for _, e := range encodings {
		fmt.Fprintln(&source, e.text)
		w := e.word
		fmt.Fprintf(&want, "0x%02x,0x%02x,0x%02x,0x%02x\n", w&255, w>>8&255, w>>16&255, w>>24)
	}
	cmd := exec.Command(path, "-triple=aarch64", "-mattr=+dotprod,+i8mm,+fullfp16,+fp16fml,+sme2", "-show-encoding")
	cmd.Stdin = strings.NewReader(source.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, m := range regexp.MustCompile(`encoding: \[(.*?)\]`).FindAllStringSubmatch(string(out), -1) {
		got += m[1] + "\n"
	}
	if got != want.String() {
		t.Errorf("%s disagrees:\n%s\nwant\n%s", path, got, want.String())
	}
}
