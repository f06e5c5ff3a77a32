package hexagon

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuiltFromSources compares sources and results with the hashes that the build noted.
func TestBuiltFromSources(t *testing.T) {
	record, err := os.ReadFile("build.txt")
	if err != nil {
		t.Fatal(err)
	}
	noted := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(record)), "\n")[2:] {
		sum, name, _ := strings.Cut(line, "  ")
		if strings.HasSuffix(name, ".c") || strings.HasSuffix(name, ".h") {
			name = "src/" + name
		}
		noted[name] = true
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s has changed since the kernels were built; run go generate ./kernels/npu/hexagon", name)
		}
	}
	sources, err := filepath.Glob("src/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(sources, "build.sh", "module.so", "testdata/emulator", "testdata/runner") {
		if !noted[name] {
			t.Errorf("build.txt does not know %s; run go generate ./kernels/npu/hexagon", name)
		}
	}
}

// TestRebuild builds the kernels anew, where the same compiler is installed, and expects the same bytes.
func TestRebuild(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for some seconds")
	}
	record, err := os.ReadFile("build.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, tool := range []string{"clang", "ld.lld"} {
		out, err := exec.Command(tool, "--version").Output()
		if err != nil {
			t.Skipf("skipped: needs the compiler of build.txt: %v (Debian: clang, lld)", err)
		}
		if want := strings.Split(string(record), "\n")[i]; strings.Split(string(out), "\n")[0] != want {
			t.Skipf("skipped: needs %q, here is %q", want, bytes.TrimSpace(out))
		}
	}
	dir := t.TempDir()
	if out, err := exec.Command("sh", "build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"module.so", "testdata/emulator", "testdata/runner", "build.txt"} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what its sources give", name)
		}
	}
}

// TestModule looks for what the DSP's loader needs of a module, and for nothing to be resolved that its runtime does not have.
func TestModule(t *testing.T) {
	const hexagon = 164 // machine number in ELF
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != hexagon || f.Type != elf.ET_DYN {
		t.Errorf("machine %v, type %v", f.Machine, f.Type)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var defined, undefined []string
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF {
			undefined = append(undefined, s.Name)
		} else {
			defined = append(defined, s.Name)
		}
	}
	if got := fmt.Sprint(defined, undefined); got != "[lever_entry] [qurt_mem_cache_clean]" {
		t.Errorf("the module defines and needs %s", got)
	}
	if f.Section(".hash") == nil {
		t.Error("no hash table of the old form")
	}
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr%4096 != 0 {
			t.Errorf("segment %d begins at %#x, within a page", i, p.Vaddr)
		}
	}
}
