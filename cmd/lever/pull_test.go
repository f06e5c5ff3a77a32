package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
)

// hubServer serves a folder as the repository ours/tiny.
func hubServer(t *testing.T, dir string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/models/ours/tiny/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		var siblings []any
		for _, e := range entries {
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Error(err)
			}
			sum := sha256.Sum256(content)
			siblings = append(siblings, map[string]any{"rfilename": e.Name(), "size": len(content), "lfs": map[string]any{"sha256": hex.EncodeToString(sum[:])}})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": "abc", "siblings": siblings})
	})
	mux.Handle("/ours/tiny/resolve/abc/", http.StripPrefix("/ours/tiny/resolve/abc/", http.FileServer(http.Dir(dir))))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// A model that was pulled can be run.
func TestPullAndRun(t *testing.T) {
	source := testdata.Shared(t, "models/lever-tiny-llama/target")
	s := hubServer(t, source)
	for _, name := range []string{"ours/tiny", s.URL + "/ours/tiny"} {
		folder := filepath.Join(t.TempDir(), "tiny")
		got := execute(t, "pull", "--endpoint", s.URL+"/", name, folder)
		if got.status != 0 || !strings.Contains(got.stderr, "lever convert "+folder) {
			t.Fatalf("pull %s: status %d: %s", name, got.status, got.stderr)
		}
		if _, err := os.Stat(filepath.Join(folder, "reference.json")); err == nil {
			t.Error("a file that is not the model's was downloaded")
		}
		if name == "ours/tiny" {
			got = execute(t, "run", "--model", folder, "--max-tokens", "4", "Hello")
			if got.status != 0 || got.stdout == "" {
				t.Fatalf("run: status %d: %s", got.status, got.stderr)
			}
		}
	}
}

// What is not checked, as no hub says what it should be, is not passed over in silence.
func TestPullOneFile(t *testing.T) {
	source := t.TempDir()
	writeFile(t, filepath.Join(source, "model.gguf"), []byte("GGUF"))
	s := hubServer(t, source)
	address := s.URL + "/ours/tiny/resolve/abc/model.gguf"
	folder := t.TempDir()
	got := execute(t, "pull", address, folder)
	if got.status != 0 || !strings.Contains(got.stderr, "not checked") || !strings.Contains(got.stderr, "lever convert "+filepath.Join(folder, "model.gguf")) {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	sum := sha256.Sum256([]byte("GGUF"))
	got = execute(t, "pull", address, folder, "--sha256", hex.EncodeToString(sum[:]))
	if got.status != 0 || strings.Contains(got.stderr, "not checked") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	got = execute(t, "pull", address, folder, "--sha256", strings.Repeat("0", 64))
	if got.status != exitFailure || !strings.Contains(got.stderr, "wrong checksum") || !strings.Contains(got.stderr, "not kept") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

func TestPullRefuses(t *testing.T) {
	s := hubServer(t, t.TempDir())
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{}, exitUsage, "takes a repository or URL"},
		{[]string{"not a name"}, exitUsage, "neither a repository"},
		{[]string{"ours/tiny", "--sha256", "12"}, exitUsage, "--sha256 is for a URL"},
		{[]string{"http://localhost/x.gguf", "--file", "y"}, exitUsage, "--file chooses from a repository"},
		{[]string{"http://localhost/x.gguf", "--sha256", "12"}, exitFailure, "64 hexadecimal digits"},
		{[]string{"ours/none"}, exitFailure, "404 Not Found"},
		{[]string{"ours/tiny"}, exitFailure, "neither safetensors nor GGUF"},
		{[]string{s.URL + "/x.gguf"}, exitFailure, "404 Not Found"},
	} {
		got := execute(t, append([]string{"pull", "--endpoint", s.URL}, c.args...)...)
		if got.status != c.status || !strings.Contains(got.stderr, c.want) {
			t.Errorf("pull %q: status %d, want %d, saying %q: %s", c.args, got.status, c.status, c.want, got.stderr)
		}
	}
}
