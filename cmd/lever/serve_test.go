package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
)

// The program serves until it is interrupted, and asks for the key that it was given.
func TestServe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := clitest.Program(t, "serve", "--listen", "127.0.0.1:0", "--api-key-file", file, "--name", "tiny", "--verbose", "--allow-host", "our.name", "--allow-origin", "http://localhost:3000,http://localhost:3001")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	url := ""
	lines := bufio.NewScanner(stderr)
	for url == "" && lines.Scan() {
		_, url, _ = strings.Cut(lines.Text(), "model tiny on ")
	}
	for key, want := range map[string]int{"secret": http.StatusOK, "guess": http.StatusUnauthorized} {
		r, err := http.NewRequest(http.MethodPost, url+"/v1/completions", strings.NewReader(`{"model": "tiny", "prompt": "1 + 1 =", "max_tokens": 2}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Origin", "http://localhost:3001")
		r.Host = "our.name"
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if response.Body.Close(); err != nil || response.StatusCode != want || response.Header.Get("Access-Control-Allow-Origin") != "http://localhost:3001" {
			t.Errorf("with key %s: %s, %s", key, response.Status, body)
		}
	}
	onePerPass := regexp.MustCompile(`tokens a pass +\S+ +1\.00\n`) // of two tokens, the first came with the prompt
	for key, want := range map[string]string{"secret": "tokens a second", "guess": "asks for a key"} {
		top := clitest.Program(t, "top", strings.TrimPrefix(url, "http://"), "--times", "2", "--interval", "100ms")
		top.Env = append(top.Env, apiKeyVariable+"="+key)
		got := clitest.Finish(t, top)
		if all := got.Stdout + got.Stderr; !strings.Contains(all, want) || key == "secret" && (strings.Count(all, "1 answer, 0 failed") != 2 || !strings.Contains(all, "tiny") || !onePerPass.MatchString(all)) {
			t.Errorf("top with key %s: %s", key, all)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
	}
	if text := log.String(); strings.Count(text, "method=POST") != 2 || strings.Contains(text, "secret") || strings.Contains(text, "1 + 1") {
		t.Errorf("the log of two questions is\n%s", text)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
}
