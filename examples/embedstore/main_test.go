package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/demo"
)

// The program as it lies here has no model, and says what to do.
func TestWithoutModel(t *testing.T) {
	_, err := unpack(t.Context())
	if err == nil || !strings.Contains(err.Error(), "examples/embedstore/model.lever") {
		t.Errorf("error %v", err)
	}
}

// Copied into a module of its own, with a store inside, it needs nothing but itself.
func TestWithModel(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("skipped: needs the go command")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	module := t.TempDir()
	if err := os.CopyFS(filepath.Join(module, "model.lever"), os.DirFS(pair.Target)); err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(module, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	_, requirements, _ := strings.Cut(string(read("../../go.mod")), "\nrequire ")
	requirements, _, _ = strings.Cut(requirements, "\ntool ")
	write("go.mod", []byte("module example.org/answer\n\ngo 1.26.0\n\nrequire "+requirements+
		"\nrequire github.com/lever-go/lever v0.0.0\n\nreplace github.com/lever-go/lever => "+repository+"\n"))
	write("go.sum", read("../../go.sum"))
	write("main.go", read("main.go"))

	program := filepath.Join(t.TempDir(), "answer.exe")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = module
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, output)
	}
	if err := os.RemoveAll(module); err != nil { // it must not be needed
		t.Fatal(err)
	}
	cache := t.TempDir()
	answer := func() string {
		t.Helper()
		cmd := exec.Command(program, "-max-tokens", "12", "-dram", "8", "Tom has 3 apples and buys 4 more. How many apples does he have?")
		cmd.Env = append(os.Environ(), "LEVER_CACHE="+cache)
		var errs strings.Builder
		cmd.Stderr = &errs
		output, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, errs.String())
		}
		return string(output)
	}
	first := answer()
	if !strings.HasPrefix(first, "He has ") {
		t.Errorf("it answers %q", first)
	}
	if second := answer(); second != first {
		t.Errorf("the second time it answers %q, not %q", second, first)
	}
	if entries, err := os.ReadDir(cache); err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, %v; not one store", entries, err)
	}
}
