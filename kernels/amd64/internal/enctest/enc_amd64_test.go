package enctest

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unsafe"
)

// encodings lists the instructions behind func code with their bytes. Displacements are such that other assemblers, too,
// give them 4 bytes.
var encodings = []struct{ text, bytes string }{
	{"tileloadd tmm0, [rax + rcx + 0x12345]", "c4 e2 7b 4b 84 08 45 23 01 00"},
	{"tileloadd tmm7, [rdi + r14 - 0x12345]", "c4 a2 7b 4b bc 37 bb dc fe ff"},
	{"tileloadd tmm5, [r12 + rbx + 0x7ffffff]", "c4 c2 7b 4b ac 1c ff ff ff 07"},
	{"tileloadd tmm2, [r13 + r15 + 0x80]", "c4 82 7b 4b 94 3d 80 00 00 00"},
	{"tileloadd tmm3, [rsp + rbp + 0x1000]", "c4 e2 7b 4b 9c 2c 00 10 00 00"},
	{"tilestored [rax + rcx + 0x12345], tmm0", "c4 e2 7a 4b 84 08 45 23 01 00"},
	{"tilestored [rdi + r14 - 0x12345], tmm7", "c4 a2 7a 4b bc 37 bb dc fe ff"},
	{"tilestored [r12 + rbx + 0x7ffffff], tmm5", "c4 c2 7a 4b ac 1c ff ff ff 07"},
	{"ldtilecfg [rax]", "c4 e2 78 49 00"},
	{"ldtilecfg [rdi]", "c4 e2 78 49 07"},
	{"tilerelease", "c4 e2 78 49 c0"},
	{"tilezero tmm0", "c4 e2 7b 49 c0"},
	{"tilezero tmm5", "c4 e2 7b 49 e8"},
	{"tdpbssd tmm0, tmm1, tmm2", "c4 e2 6b 5e c1"},
	{"tdpbssd tmm3, tmm4, tmm7", "c4 e2 43 5e dc"},
	{"tdpbssd tmm7, tmm5, tmm0", "c4 e2 7b 5e fd"},
}

func TestMacros(t *testing.T) {
	at := code()
	for _, e := range encodings {
		want := fromHex(t, e.bytes)
		if got := unsafe.Slice(at, len(want)); !bytes.Equal(got, want) {
			t.Fatalf("%s: % x, want % x", e.text, got, want)
		}
		at = (*byte)(unsafe.Add(unsafe.Pointer(at), len(want)))
	}
	const ret = 0xc3
	if *at != ret {
		t.Errorf("the list ends before the code")
	}
}

func fromHex(t *testing.T, s string) []byte {
	var b []byte
	if _, err := fmt.Sscanf(strings.ReplaceAll(s, " ", ""), "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
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
		fmt.Fprintf(&want, "0x%s\n", strings.ReplaceAll(e.bytes, " ", ",0x"))
	}
	cmd := exec.Command(path, "-triple=x86_64", "-mattr=+amx-tile,+amx-int8", "-x86-asm-syntax=intel", "-output-asm-variant=1", "-show-encoding")
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
