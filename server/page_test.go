package server_test

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
)

// The page loads nothing from elsewhere, and says so to the browser.
func TestPageStandsAlone(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), APIKey: key})
	external := regexp.MustCompile(`(?:https?:)?//[a-z]`)
	for _, path := range []string{"/", "/page/page.css", "/page/page.js", "/page/icon.svg"} {
		text := strings.ReplaceAll(fetch(t, url+path), "http://www.w3.org/2000/svg", "")
		if found := external.FindString(text); found != "" {
			t.Errorf("%s refers to %s…", path, found)
		}
	}
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self';") {
		t.Errorf("policy %q", policy)
	}
	for _, path := range []string{"/page/", "/page/../server.go", "/page/nothing.js"} {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
}

// A browser asks, shows the answer, its statistics, and the tree of the last pass.
func TestPageInBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	chain, err := spec.NewChain(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	engine := openEngine(t)
	url := start(t, server.Options{Engine: engine, Request: lever.Request{MaxTokens: 40, Policy: chain}}) + "/?ask=Tom+has+3+apples+and+buys+4.+How+many+has+he%3F"
	b := openBrowser(t, browser)
	session := b.open(url)
	for began := time.Now(); b.evaluate(session, "document.body?.dataset.state") != "ready" || b.evaluate(session, "document.querySelector('.assistant')?.textContent") == ""; {
		if time.Sleep(20 * time.Millisecond); time.Since(began) > time.Minute {
			t.Fatal("the page is not ready after a minute")
		}
	}
	dom := b.evaluate(session, "document.documentElement.outerHTML")
	// LEVER_SCREENSHOT names a file for a picture of the page.
	if file := os.Getenv("LEVER_SCREENSHOT"); file != "" {
		if err := os.WriteFile(file, b.screenshot(session), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := engine.Generate(t.Context(), lever.Request{
		Messages: []tokenizer.Message{{Role: "user", Content: "Tom has 3 apples and buys 4. How many has he?"}}, MaxTokens: 40,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(want.Text)
	for _, part := range []string{`data-state="ready"`, `<span id="model">demo</span>`, escaped, "<dt class=\"\">Tokens per pass</dt>", `<g class="root"`, `<g class="next"`} {
		if !strings.Contains(dom, part) {
			t.Errorf("the page has no %s", part)
		}
	}
	if strings.Contains(dom, `class="fault"`) {
		t.Error("the page shows a fault")
	}
	if t.Failed() {
		t.Log(dom)
	}
}
