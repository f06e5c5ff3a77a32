package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/gguf"
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
		got := clitest.Execute(t, "pull", "--endpoint", s.URL+"/", name, folder)
		if got.Status != 0 || !strings.Contains(got.Stderr, "lever convert "+folder) {
			t.Fatalf("pull %s: status %d: %s", name, got.Status, got.Stderr)
		}
		if _, err := os.Stat(filepath.Join(folder, "reference.json")); err == nil {
			t.Error("a file that is not the model's was downloaded")
		}
		if name == "ours/tiny" {
			got = clitest.Execute(t, "run", "--model", folder, "--max-tokens", "4", "Hello")
			if got.Status != 0 || got.Stdout == "" {
				t.Fatalf("run: status %d: %s", got.Status, got.Stderr)
			}
		}
	}
}

// A model that would be refused is not downloaded.
func TestPullRefusesBeforeWeights(t *testing.T) {
	tiny := testdata.Shared(t, "models/lever-tiny-llama/draft")
	config := func(old, new string) []byte {
		text, err := os.ReadFile(filepath.Join(tiny, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Replace(text, []byte(old), []byte(new), 1)
	}
	for _, c := range []struct {
		name, want string
		files      map[string][]byte
	}{
		{"architecture", "MixtralForCausalLM", map[string][]byte{"config.json": config("LlamaForCausalLM", "MixtralForCausalLM"), "tokenizer.json": []byte("{}")}},
		{"rotation", `rope_type = "xpos"`, map[string][]byte{"config.json": config(`"rope_scaling": null`, `"rope_scaling": {"rope_type": "xpos", "factor": 4}`)}},
		{"tokenizer", "tokenizer", map[string][]byte{"config.json": config("", ""), "tokenizer.json": []byte(`{"model": {"type": "WordLevel"}}`)}},
		{"gguf", `"mamba"`, map[string][]byte{"model.gguf": ggufFile(t, map[string]any{"general.architecture": "mamba"})}},
		{"page", "web page", map[string][]byte{"model.gguf": []byte("<!doctype html><html></html>")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := t.TempDir()
			for name, content := range c.files {
				writeFile(t, filepath.Join(source, name), content)
			}
			if c.files["config.json"] != nil {
				writeFile(t, filepath.Join(source, "model.safetensors"), []byte("weights"))
			}
			s := hubServer(t, source)
			folder := filepath.Join(t.TempDir(), "tiny")
			got := clitest.Execute(t, "pull", "--endpoint", s.URL, "ours/tiny", folder)
			if got.Status != 1 || !strings.Contains(got.Stderr, c.want) || !strings.Contains(got.Stderr, "nothing was downloaded") {
				t.Errorf("status %d: %s", got.Status, got.Stderr)
			}
			if _, err := os.Stat(folder); err == nil {
				t.Error("something is left in the folder")
			}
		})
	}
}

// ggufFile returns a GGUF file without tensors.
func ggufFile(t *testing.T, metadata map[string]any) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := gguf.Write(&file, gguf.Content{Metadata: metadata}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// What is not checked, as no hub says what it should be, is not passed over in silence.
func TestPullOneFile(t *testing.T) {
	source := t.TempDir()
	content := ggufFile(t, map[string]any{"split.no": uint16(1), "split.count": uint16(2)}) // nothing that could be refused
	writeFile(t, filepath.Join(source, "model.gguf"), content)
	s := hubServer(t, source)
	address := s.URL + "/ours/tiny/resolve/abc/model.gguf"
	folder := t.TempDir()
	got := clitest.Execute(t, "pull", address, folder)
	if got.Status != 0 || !strings.Contains(got.Stderr, "not checked") || !strings.Contains(got.Stderr, "lever convert "+filepath.Join(folder, "model.gguf")) {
		t.Errorf("status %d: %s", got.Status, got.Stderr)
	}
	sum := sha256.Sum256(content)
	got = clitest.Execute(t, "pull", address, folder, "--sha256", hex.EncodeToString(sum[:]))
	if got.Status != 0 || strings.Contains(got.Stderr, "not checked") {
		t.Errorf("status %d: %s", got.Status, got.Stderr)
	}
	got = clitest.Execute(t, "pull", address, folder, "--sha256", strings.Repeat("0", 64))
	if got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "wrong checksum") || !strings.Contains(got.Stderr, "not kept") {
		t.Errorf("status %d: %s", got.Status, got.Stderr)
	}
}

func TestPullRefuses(t *testing.T) {
	s := hubServer(t, t.TempDir())
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{}, cli.ExitUsage, "takes a repository or URL"},
		{[]string{"not a name"}, cli.ExitUsage, "neither a repository"},
		{[]string{"ours/tiny", "--sha256", "12"}, cli.ExitUsage, "--sha256 is for a URL"},
		{[]string{"http://localhost/x.gguf", "--file", "y"}, cli.ExitUsage, "--file chooses from a repository"},
		{[]string{"http://localhost/x.gguf", "--sha256", "12"}, cli.ExitFailure, "64 hexadecimal digits"},
		{[]string{"ours/none"}, cli.ExitFailure, "404 Not Found"},
		{[]string{"ours/tiny"}, cli.ExitFailure, "neither safetensors nor GGUF"},
		{[]string{s.URL + "/x.gguf"}, cli.ExitFailure, "404 Not Found"},
	} {
		got := clitest.Execute(t, append([]string{"pull", "--endpoint", s.URL}, c.args...)...)
		if got.Status != c.status || !strings.Contains(got.Stderr, c.want) {
			t.Errorf("pull %q: status %d, want %d, saying %q: %s", c.args, got.Status, c.status, c.want, got.Stderr)
		}
	}
}
