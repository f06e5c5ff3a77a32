package examples

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Android systems with pages of 16 KiB load only programs whose segments are aligned to them.
func TestAndroidPages(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("skipped: needs the go command")
	}
	source, file := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "program")
	// The linker aligns all programs alike, and this one is built fast.
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", file, source)
	build.Env = append(os.Environ(), "GOOS=android", "GOARCH=arm64", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, output)
	}
	program, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	segments := 0
	for _, p := range program.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if segments++; p.Align < 16<<10 || p.Align%(16<<10) != 0 || p.Vaddr%p.Align != p.Off%p.Align {
			t.Errorf("segment at %#x of the file and %#x in memory is aligned to %d bytes", p.Off, p.Vaddr, p.Align)
		}
	}
	if segments == 0 {
		t.Error("the program has no segments")
	}
}
