package hexagon

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
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
	for _, name := range append(sources, "build.sh", "kernels.o", "testdata/runner") {
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
	for _, name := range []string{"kernels.o", "testdata/runner", "build.txt"} {
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

// TestObject looks for the kernels, and for nothing left to be resolved, in the embedded file.
func TestObject(t *testing.T) {
	const hexagon = 164 // machine number in ELF
	f, err := elf.NewFile(bytes.NewReader(Object()))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != hexagon || f.Type != elf.ET_REL {
		t.Errorf("machine %v, type %v", f.Machine, f.Type)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]bool{}
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF && s.Name != "" {
			t.Errorf("%s is undefined", s.Name)
		}
		defined[s.Name] = true
	}
	for _, name := range []string{"matmul_q4_0", "matmul_q8_0", "quantize"} {
		if !defined["lever_"+name] {
			t.Errorf("lever_%s is missing", name)
		}
	}
}
