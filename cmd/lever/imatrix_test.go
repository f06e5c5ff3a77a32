package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/testdata"
)

// Importance is measured with a text, kept beside the store, and used again.
func TestConvertWithImportance(t *testing.T) {
	src := testdata.Shared(t, "models/lever-tiny-llama/draft")
	dir := t.TempDir()
	text, first, second, plain := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "a.lever"), filepath.Join(dir, "b.lever"), filepath.Join(dir, "c.lever")
	writeFile(t, text, []byte(strings.Repeat("Janet has 3 ducks. ", 10)))
	got := clitest.MustSucceed(t, "convert", src, first, "--type", "iq4_nl", "--imatrix", text)
	kept := filepath.Join(dir, "a.imatrix")
	if !strings.Contains(got.Stderr, kept) {
		t.Errorf("standard error %q", got.Stderr)
	}
	clitest.MustSucceed(t, "convert", src, second, "--type", "iq4_nl", "--imatrix", kept)
	clitest.MustSucceed(t, "convert", src, plain, "--type", "iq4_nl")
	chunk := func(store string) string {
		content, err := os.ReadFile(filepath.Join(store, "chunks", "0001.bin"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	if chunk(first) != chunk(second) || chunk(first) == chunk(plain) {
		t.Error("the same importance gives another store, or none the same")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	writeFile(t, filepath.Join(dir, "bytes.bin"), []byte{0xFF, 0xFE})
	for name, says := range map[string]string{"bytes.bin": "text in UTF-8", "none.txt": "none.txt", "none.imatrix": "none.imatrix"} {
		got := clitest.Execute(t, "convert", src, filepath.Join(dir, "d.lever"), "--imatrix", filepath.Join(dir, name))
		if got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, says) {
			t.Errorf("%s: status %d: %s", name, got.Status, got.Stderr)
		}
	}
}

func TestConvertToMix(t *testing.T) {
	store := filepath.Join(t.TempDir(), "mix.lever")
	m := newTinyModel()
	clitest.MustSucceed(t, "convert", m.write(t, m.size()), store, "--type", "q4_k_m")
	if got := clitest.Execute(t, "convert", store, store+"2.lever", "--type", "q4_k_x"); got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, "q4_k_m") {
		t.Errorf("status %d: %s", got.Status, got.Stderr)
	}
}
