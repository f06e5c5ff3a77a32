package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/server"
)

// Clients of Ollama have a model loaded by a request without a prompt, and ask how long it stays.
func TestOllamaLoads(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), Model: "demo"})
	for path, body := range map[string]string{"/api/generate": `{"model": "demo", "keep_alive": "5m"}`, "/api/chat": `{"model": "demo:latest", "messages": [], "stream": true}`} {
		if status, got := post(t, url+path, "application/json", body, nil); status != 200 || !strings.Contains(got, `"done":true,"done_reason":"load"`) {
			t.Errorf("%s: %d %s", path, status, got)
		}
		if status, got := post(t, url+path, "application/json", `{"model": "other"}`, nil); status != 404 {
			t.Errorf("%s of another model: %d %s", path, status, got)
		}
	}
	var running struct {
		Models []struct {
			Name    string
			Context int       `json:"context_length"`
			Expires time.Time `json:"expires_at"`
		}
	}
	got := fetch(t, url+"/api/ps")
	if err := json.Unmarshal([]byte(got), &running); err != nil || len(running.Models) != 1 || running.Models[0].Name != "demo" || running.Models[0].Context == 0 || time.Until(running.Models[0].Expires) < time.Hour {
		t.Errorf("%v: %s", err, got)
	}
}
