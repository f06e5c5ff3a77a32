package server_test

import (
	"context"
	"errors"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
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

func findBrowser(t *testing.T) string {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	return browser
}

// A browser asks, shows the answer, its statistics, and the tree of the last pass.
func TestPageInBrowser(t *testing.T) {
	browser := findBrowser(t)
	chain, err := baseline.NewChain(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	engine := openEngine(t)
	const question = "Tom has 3 apples and buys 4. How many has he?"
	url := start(t, server.Options{Engine: engine, Request: lever.Request{MaxTokens: 40, Policy: chain}}) + "/?ask=" + neturl.QueryEscape(question)
	b := openBrowser(t, browser)
	session := b.open(url)
	b.until(session, `document.querySelector("#model")?.textContent`)
	if got := b.evaluate(session, `document.querySelector("#question").value + document.querySelector("#messages").textContent`); got != question {
		t.Errorf("a link with a question shows %q", got)
	}
	b.evaluate(session, `document.querySelector("#ask").requestSubmit(); ""`)
	b.until(session, `document.body.dataset.state === "ready" && document.querySelector(".assistant").textContent`)
	dom := b.evaluate(session, "document.documentElement.outerHTML")
	// LEVER_SCREENSHOT names a file for a picture of the page.
	if file := os.Getenv("LEVER_SCREENSHOT"); file != "" {
		if err := os.WriteFile(file, b.screenshot(session), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := engine.Generate(t.Context(), lever.Request{
		Messages: []tokenizer.Message{{Role: "user", Content: question}}, MaxTokens: 40,
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

// teller tells a long story, line by line, until it is stopped, and fails when it is asked to.
type teller struct {
	server.Engine
	mu    sync.Mutex
	asked []string // the conversations, "role: text" for each message
}

func (e *teller) Generate(ctx context.Context, req lever.Request, emit func(string) error) (lever.Result, error) {
	var all []string
	for _, m := range req.Messages {
		all = append(all, m.Role+": "+m.Content)
	}
	e.mu.Lock()
	e.asked = append(e.asked, strings.Join(all, ", "))
	e.mu.Unlock()
	switch question := req.Messages[len(req.Messages)-1].Content; question {
	case "fail":
		return lever.Result{}, errors.Join(emit("Half an ans"), errors.New("chunk 7 is corrupt"))
	case "story":
		for {
			if err := emit("And then came another day.\n"); err != nil {
				return lever.Result{}, err
			}
			select {
			case <-ctx.Done():
				return lever.Result{}, ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	default:
		return lever.Result{Finish: spec.FinishStop}, emit("answer to " + question)
	}
}

func (e *teller) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.asked) == 0 {
		return ""
	}
	return e.asked[len(e.asked)-1]
}

// A conversation holds what was asked and answered in it, and nothing else: no half answer of the one before, and no question that failed.
func TestPageKeepsConversationsApart(t *testing.T) {
	engine := &teller{Engine: openEngine(t)}
	url := start(t, server.Options{Engine: engine})
	b := openBrowser(t, findBrowser(t))
	session := b.open(url)
	b.until(session, `document.querySelector("#model")?.textContent`)
	answered := func(question, want string) {
		t.Helper()
		b.ask(session, question)
		until(t, question+" arrives", func() bool { return strings.HasSuffix(engine.last(), ": "+question) })
		b.until(session, `document.body.dataset.state === "ready"`)
		if got := engine.last(); got != want {
			t.Errorf("the model is asked %q, want %q", got, want)
		}
	}
	answered("one", "user: one")
	answered("two", "user: one, assistant: answer to one, user: two")
	b.ask(session, "story")
	b.until(session, `document.querySelector("#messages").textContent.includes("another day")`)
	b.evaluate(session, `document.querySelector("#clear").click(); ""`)
	if got := b.evaluate(session, `document.querySelector("#messages").textContent + document.body.dataset.state`); got != "ready" {
		t.Errorf("a new conversation begins with %q", got)
	}
	answered("three", "user: three")
	answered("fail", "user: three, assistant: answer to three, user: fail")
	if got := b.evaluate(session, `document.querySelector(".fault").textContent + " " + document.querySelector("#question").value`); got != "the model failed; the server's log says how fail" {
		t.Errorf("after a failure the page shows %q", got)
	}
	answered("four", "user: three, assistant: answer to three, user: four")
	if got := b.evaluate(session, `document.querySelector("#messages").textContent`); !strings.HasSuffix(got, "fouranswer to four") {
		t.Errorf("the page shows %q", got)
	}
}

// On a phone the question and its buttons stay on the screen while an answer grows, and its end in view, unless the user scrolls up.
func TestPageOnPhone(t *testing.T) {
	url := start(t, server.Options{Engine: &teller{Engine: openEngine(t)}})
	b := openBrowser(t, findBrowser(t))
	session := b.open(url)
	b.resize(session, 390, 844)
	b.until(session, `document.querySelector("#model")?.textContent`)
	b.ask(session, "story")
	const log = `document.querySelector("#messages")`
	b.until(session, log+`.scrollHeight > 3 * innerHeight`)
	for _, holds := range []string{
		`scrollY === 0 && document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth`,
		`["#stop", "#question"].every((name) => { const r = document.querySelector(name).getBoundingClientRect(); return r.height > 20 && r.top > 0 && r.bottom <= innerHeight && r.right <= innerWidth; })`,
		log + `.scrollHeight - ` + log + `.scrollTop - ` + log + `.clientHeight < 60`,
		log + `.clientHeight > innerHeight / 2`,
	} {
		if b.evaluate(session, "String("+holds+")") != "true" {
			t.Errorf("while the answer grows it does not hold that %s", holds)
		}
	}
	if file := os.Getenv("LEVER_SCREENSHOT"); file != "" {
		if err := os.WriteFile(file+".phone.png", b.screenshot(session), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.evaluate(session, log+`.scrollTop = 10; ""`)
	before := b.evaluate(session, `String(`+log+`.scrollHeight)`)
	b.until(session, log+`.scrollHeight > 200 + `+before)
	if got := b.evaluate(session, `String(`+log+`.scrollTop)`); got != "10" {
		t.Errorf("who scrolled up to 10 is at %s", got)
	}
	b.evaluate(session, `document.querySelector("#stop").click(); ""`)
	b.until(session, `document.body.dataset.state === "ready"`)
}
