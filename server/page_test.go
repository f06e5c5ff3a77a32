package server_test

import (
	"context"
	"errors"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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
	files, err := filepath.Glob("page/*")
	if err != nil || len(files) < 10 {
		t.Fatalf("the page is made of %v, %v", files, err)
	}
	for _, path := range append(files, "") {
		text := strings.ReplaceAll(fetch(t, url+"/"+path), "http://www.w3.org/2000/svg", "")
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
	case "read":
		req.Prefill(40, 120)
		<-ctx.Done()
		return lever.Result{}, ctx.Err()
	case "markdown":
		text := "<think>They want to see all of it.</think>" + document
		req.Piece(spec.Piece{Text: text, Drafted: len(text) / 2})
		return lever.Result{Finish: spec.FinishStop}, emit(text)
	case "long":
		return lever.Result{Finish: spec.FinishLength}, emit("Once upon a")
	case "Once upon a":
		return lever.Result{Finish: spec.FinishStop}, emit(" time.")
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

// document is an answer with all kinds of blocks.
const document = `# A title

Text with **strong**, *slanted* and ` + "`code`" + `, and a [link](https://example.org/a_(b)).
A second line.

1. one
2. two
   - below
   - it

> A quotation, quite long enough to need more than one line on a phone that is 390 pixels wide.

` + "```go" + `
func add(a, b int) int { return a + b } // a line of code that is much wider than the screen of any phone that there is
` + "```" + `

| a | b |
|---|--:|
| 1 | 2 |

---
`

// The page does what it is for, in a browser.
func TestPage(t *testing.T) {
	b := openBrowser(t, findBrowser(t))
	for name, test := range map[string]func(*testing.T, *chromium){
		"Answer": pageAnswer, "Conversations": pageConversations, "Grows": pageGrows, "Screens": pageScreens, "Key": pageKey, "Markdown": pageMarkdown, "Tree": pageTree,
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			test(t, b)
		})
	}
	b.t = t
}

const (
	log   = `document.querySelector("#messages")`
	ready = `document.querySelector("#model")?.textContent`
	idle  = `document.body.dataset.state === "ready"`
)

// It asks, and shows the answer, what it took, the tree of the last pass, and what was drafted.
func pageAnswer(t *testing.T, b *chromium) {
	chain, err := baseline.NewChain(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	engine := openEngine(t)
	const question = "Tom has 3 apples and buys 4. How many has he?"
	session := b.open(start(t, server.Options{Engine: engine, Request: lever.Request{MaxTokens: 40, Policy: chain}}) + "/?ask=" + neturl.QueryEscape(question))
	b.until(session, ready)
	if got := b.evaluate(session, `document.querySelector("#question").value`); got != question {
		t.Errorf("a link with a question shows %q", got)
	}
	b.evaluate(session, `document.querySelector("#ask").requestSubmit(); ""`)
	b.until(session, idle+` && document.querySelector(".assistant .text").textContent`)
	drafted := ""
	want, err := openEngine(t).Generate(t.Context(), lever.Request{ // which holds nothing of the prompt either
		Messages: []tokenizer.Message{{Role: "user", Content: question}}, MaxTokens: 40, Policy: chain, Piece: func(p spec.Piece) { drafted += p.Text[:p.Drafted] },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.click(session, "Speculation")
	b.evaluate(session, `document.querySelector("#tint").click(); ""`)
	b.resize(session, 1280, 800, "light")
	b.screenshot(session, "answer-desk")
	b.resize(session, 390, 844, "light")
	b.screenshot(session, "answer-phone")
	for what, want := range map[string]string{
		`document.querySelector("#model").textContent`:                                                         "demo",
		`document.querySelector(".assistant .text").textContent`:                                               want.Text,
		`[...document.querySelectorAll(".drafted")].map((e) => e.textContent).join("")`:                        drafted,
		`document.querySelector(".state .note").textContent`:                                                   "The answer was cut: the limit of tokens is reached.",
		`document.querySelectorAll("#statistics dt")[1].textContent`:                                           "Tokens per pass",
		`document.querySelector("#tree .root + *") && String(document.querySelectorAll("#tree .next").length)`: "2",
		`String(document.querySelectorAll(".fault").length)`:                                                   "1", // of the key, which is not asked for
	} {
		if got := b.evaluate(session, what); got != want {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
}

// A conversation holds what was asked and answered in it, and nothing else; it is kept in the browser, and can be gone back in.
func pageConversations(t *testing.T, b *chromium) {
	engine := &teller{Engine: openEngine(t)}
	session := b.open(start(t, server.Options{Engine: engine}))
	b.until(session, ready)
	shown := func(want string) {
		t.Helper()
		if got := b.evaluate(session, `[...document.querySelectorAll(".user > p, .text")].map((e) => e.textContent).join("|")`); got != want {
			t.Errorf("the page shows %q, want %q", got, want)
		}
	}
	answers := func(ask func(), want string) {
		t.Helper()
		ask()
		until(t, "the model is asked "+want, func() bool { return engine.last() == want })
		b.until(session, idle)
	}
	sends := func(question string) func() { return func() { b.ask(session, question) } }
	answers(sends("one"), "user: one")
	answers(sends("two"), "user: one, assistant: answer to one, user: two")
	b.evaluate(session, `document.querySelector("#question").focus(); ""`)
	for _, key := range []string{"ArrowUp", "ArrowUp", "ArrowDown", "ArrowUp"} {
		b.press(session, key)
	}
	if got := b.evaluate(session, `document.querySelector("#question").value`); got != "one" {
		t.Errorf("arrow up recalls %q", got)
	}
	b.ask(session, "story")
	b.until(session, log+`.textContent.includes("another day")`)
	b.press(session, "Escape")
	b.until(session, idle)
	b.until(session, log+`.textContent.includes("Stopped.")`)
	b.click(session, "New conversation")
	shown("")
	answers(sends("three"), "user: three")
	answers(sends("fail"), "user: three, assistant: answer to three, user: fail")
	if got := b.evaluate(session, `document.querySelector(".state .fault").textContent`); got != "the model failed; the server's log says how" {
		t.Errorf("after a failure the page shows %q", got)
	}
	answers(sends("long"), "user: three, assistant: answer to three, user: long")
	answers(func() { b.click(session, "Go on") }, "user: three, assistant: answer to three, user: long, assistant: Once upon a")
	if got := b.evaluate(session, `[...document.querySelectorAll(".text")].at(-1).textContent`); got != "Once upon a time." {
		t.Errorf("an answer that goes on is %q", got)
	}
	b.click(session, "Edit")
	answers(sends("four"), "user: four")
	answers(func() { b.click(session, "Try again") }, "user: four")
	shown("four|answer to four")

	// It comes back after a reload, and others can be gone back to.
	b.call(session, "Page.reload", nil, nil)
	b.until(session, ready)
	shown("four|answer to four")
	b.click(session, "Conversations")
	b.click(session, "one")
	b.until(session, log+`.textContent.includes("answer to two")`)
	b.click(session, "Conversations")
	b.click(session, "Rename: three")
	b.evaluate(session, `document.querySelector("#kept input").value = "The third"; ""`)
	b.press(session, "Enter")
	b.click(session, "Rename: three") // its label stays; its title does not
	b.press(session, "Escape")
	b.evaluate(session, `URL.createObjectURL = (blob) => { window.exported = blob.text(); return "#"; }; ""`)
	b.click(session, "Export")
	if got := b.evaluate(session, `window.exported`); got != "# The third\n\n## Question\n\nfour\n\n## Answer\n\nanswer to four\n" {
		t.Errorf("exported is %q", got)
	}
	b.click(session, "Delete: one")
	b.click(session, "Really delete")
	if got := b.evaluate(session, `[...document.querySelectorAll("#kept .title")].map((e) => e.textContent).join("|")`); got != "The third" {
		t.Errorf("kept are %q", got)
	}
	shown("")
}

// On a phone the question and its buttons stay on the screen while an answer grows, and its end in view, unless the reader scrolls up.
func pageGrows(t *testing.T, b *chromium) {
	session := b.open(start(t, server.Options{Engine: &teller{Engine: openEngine(t)}}))
	b.until(session, ready)
	b.resize(session, 390, 844, "light")
	b.ask(session, "story")
	b.until(session, log+`.scrollHeight > 3 * innerHeight`)
	for _, holds := range []string{
		`["#stop", "#question"].every((name) => { const r = document.querySelector(name).getBoundingClientRect(); return r.height > 40 && r.top > 0 && r.bottom <= innerHeight && r.right <= innerWidth; })`,
		log + `.scrollHeight - ` + log + `.scrollTop - ` + log + `.clientHeight < 60`,
		log + `.clientHeight > innerHeight / 2`,
	} {
		if b.evaluate(session, "String("+holds+")") != "true" {
			t.Errorf("while the answer grows it does not hold that %s", holds)
		}
	}
	b.evaluate(session, log+`.scrollTop = 10; ""`)
	before := b.evaluate(session, `String(`+log+`.scrollHeight)`)
	b.until(session, log+`.scrollHeight > 200 + `+before)
	if got := b.evaluate(session, `String(`+log+`.scrollTop)`); got != "10" {
		t.Errorf("who scrolled up to 10 is at %s", got)
	}
	b.click(session, "Newest text")
	b.until(session, log+`.scrollHeight - `+log+`.scrollTop - `+log+`.clientHeight < 60`)
}

// Whatever the page shows fits on the screen of a phone and of a desk, in both schemes, and axe finds no barriers in it.
func pageScreens(t *testing.T, b *chromium) {
	axe := axeSource(t)
	session := b.open(start(t, server.Options{Engine: &teller{Engine: openEngine(t)}}))
	b.until(session, ready)
	b.evaluate(session, axe+`; ""`)
	check := func(name string) {
		t.Helper()
		for _, size := range []struct {
			name          string
			width, height int
		}{{"phone", 390, 844}, {"desk", 1280, 800}} {
			for _, scheme := range []string{"light", "dark"} {
				b.resize(session, size.width, size.height, scheme)
				name := name + "-" + size.name + "-" + scheme
				b.screenshot(session, name)
				if got := b.evaluate(session, `String(document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth)`); got != "true" {
					t.Errorf("%s: the page is larger than the screen", name)
				}
				if axe == "" {
					continue
				}
				if found := b.evaluate(session, `axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html + " " + n.failureSummary).join("; ")).join("\n"))`); found != "" {
					t.Errorf("%s: axe finds %s", name, found)
				}
			}
		}
	}
	ask := func(question string) {
		b.ask(session, question)
		b.until(session, idle)
	}
	check("empty")
	b.ask(session, "read")
	b.until(session, `document.querySelector(".state .note")?.textContent === "Reading what was said: 33 %"`)
	check("reading")
	b.click(session, "Stop")
	b.until(session, log+`.textContent.includes("not part of the conversation")`)
	check("stopped-at-once")
	b.click(session, "New conversation")
	b.ask(session, "story")
	b.until(session, log+`.scrollHeight > 3 * innerHeight`)
	b.evaluate(session, log+`.scrollTop = 0; ""`)
	b.until(session, `!document.querySelector("#newest").hidden`)
	check("growing")
	b.press(session, "Escape")
	b.until(session, idle)
	b.click(session, "Newest text")
	check("stopped")
	b.click(session, "New conversation")
	ask("markdown")
	b.evaluate(session, log+`.scrollTop = 0; document.querySelector(".thought").open = true; ""`)
	check("markdown")
	b.click(session, "Speculation")
	b.evaluate(session, `document.querySelector("#tint").click(); import("/page/tree.js").then(({ drawTree }) => drawTree({ tokens: ["a", " b", " c", "\n"], parents: [-1, 0, 0, 1], probs: [1, 0.7, 0.2, 0.5], accepted: [0, 1], next: " d", seconds: 0.2 }))`)
	check("sheet")
	b.click(session, "Close speculation")
	ask("fail")
	check("failed")
	ask("long")
	check("cut")
	b.click(session, "Edit")
	check("edit")
	b.click(session, "Keep it")
	b.click(session, "Conversations")
	b.click(session, "Delete")
	b.click(session, "Rename")
	check("list")
	b.click(session, "Close")
	b.evaluate(session, `document.querySelector("#forget").hidden = false; ""`)
	b.click(session, "Settings")
	check("settings")
	b.click(session, "Close")
	b.evaluate(session, `document.querySelector("#key-fault").textContent = "The server does not take this key."; document.querySelector("#key-dialog").showModal(); ""`)
	check("key")
}

// axeSource returns the program axe-core, from where npm has installed the clients for Node; it is empty where that is not.
func axeSource(t *testing.T) string {
	source, err := os.ReadFile(filepath.Join(os.Getenv("LEVER_NODE_CLIENTS"), "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Log("axe-core is not in LEVER_NODE_CLIENTS: barriers are not looked for")
	}
	return string(source)
}

// A key is asked for once: the question that needs it goes out with it, and it is there after a reload.
func pageKey(t *testing.T, b *chromium) {
	engine := &teller{Engine: openEngine(t)}
	session := b.open(start(t, server.Options{Engine: engine, APIKey: key}))
	const asked = `document.querySelector("#key-dialog[open]")`
	enter := func(key string) {
		b.evaluate(session, `document.querySelector("#key").value = "`+key+`"; document.querySelector("#key-form button").click(); ""`)
	}
	b.until(session, asked)
	b.click(session, "Cancel")
	b.until(session, "!"+asked)
	b.ask(session, "one")
	b.until(session, asked)
	b.screenshot(session, "key")
	enter("wrong")
	b.until(session, asked+`?.textContent.includes("does not take this key")`)
	enter(key)
	b.until(session, log+`.textContent.includes("answer to one")`)
	b.call(session, "Page.reload", nil, nil)
	b.until(session, ready)
}

// Markdown becomes elements, and nothing in it becomes HTML, a script or a request.
func pageMarkdown(t *testing.T, b *chromium) {
	session := b.open(start(t, server.Options{Engine: openEngine(t)}))
	b.until(session, ready)
	for _, c := range []struct{ text, want string }{
		{"a **b *c* d** ~~e~~ __f__ _g_", "<p>a <strong>b <em>c</em> d</strong> <del>e</del> <strong>f</strong> <em>g</em></p>"},
		{"2*3*4 a_b_c \\*not\\* ** a**", "<p>2*3*4 a_b_c *not* ** a**</p>"},
		{"`` a ` b `` `<i>`", "<p><code> a ` b </code> <code>&lt;i&gt;</code></p>"},
		{"# One\n### Two ##\ntext\n\n***", "<h2>One</h2><h4>Two</h4><p>text</p><hr>"},
		{"> a\n> - b", "<blockquote><p>a</p><ul><li>b</li></ul></blockquote>"},
		{"3. a\n\n   b\n4. c\n- d", `<ol start="3"><li>a<p>b</p></li><li>c</li></ol><ul><li>d</li></ul>`},
		{"- a\n  - b\n  more\n- c\n\nend", "<ul><li>a<ul><li>b\nmore</li></ul></li><li>c</li></ul><p>end</p>"},
		{"[a](https://b.c/d_(e)) [x](javascript:alert(1)) ![p](https://b.c/p.png) https://b.c/d.", `<p><a href="https://b.c/d_(e)" target="_blank" rel="noopener noreferrer">a</a> [x](javascript:alert(1)) <a href="https://b.c/p.png" target="_blank" rel="noopener noreferrer">p</a> <a href="https://b.c/d" target="_blank" rel="noopener noreferrer">https://b.c/d</a>.</p>`},
		{"<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"},
		{"|a|b\\|c|\n|-|:-:|\n|1|", `<div class="wide" tabindex="0"><table><thead><tr><th>a</th><th>b|c</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table></div>`},
		{"~~~js\n**a**\n", `<div class="code"><div class="bar"><span>js</span><button type="button" class="copy" aria-label="Copy code">Copy</button></div><pre tabindex="0"><code>**a**</code></pre></div>`},
		{strings.Repeat("> ", 30) + "a", strings.Repeat("<blockquote>", 7) + strings.Repeat("&gt; ", 23) + "a" + strings.Repeat("</blockquote>", 7)},
	} {
		if got := b.evaluate(session, `import("/page/markdown.js").then(({ blocks, render }) => blocks(`+strconv.Quote(c.text)+`).map((x) => render(x).outerHTML).join(""))`); got != c.want {
			t.Errorf("%q becomes\n%s, want\n%s", c.text, got, c.want)
		}
	}
	// What nothing closes takes no long time, and any text is shown.
	steps := b.evaluate(session, `import("/page/markdown.js").then(({ blocks, render }) => {
		const shown = [];
		for (const part of ["*a ", "[", "`+"`"+`", "**a", "> ", "- ", "|a\n|-", "1. \n", "~~~\n", "_a_", "https://", "\\"]) {
			const began = performance.now();
			blocks(part.repeat(500)).map((x) => render(x));
			if (performance.now() - began > 2000) shown.push(part);
		}
		return shown.join(" ");
	})`)
	if steps != "" {
		t.Errorf("it takes seconds to show many of %q", steps)
	}
}

// A tree of any size is drawn so that its text can be read, with its newest node in view.
func pageTree(t *testing.T, b *chromium) {
	session := b.open(start(t, server.Options{Engine: openEngine(t)}))
	b.until(session, ready)
	for _, width := range []int{390, 1280} {
		b.resize(session, width, 800, "dark")
		b.evaluate(session, `document.querySelector("#sheet").hidden = false; ""`)
		for _, nodes := range []int{1, 4, 64} {
			got := b.evaluate(session, `import("/page/tree.js").then(({ drawTree }) => {
				const n = `+strconv.Itoa(nodes)+`, tokens = [], parents = [], probs = [], accepted = [];
				for (let i = 0; i < n; i++) {
					tokens.push(" token" + i);
					parents.push(i ? i - 1 - (i % 3 === 2) : -1);
					probs.push(1 / (1 + i % 3));
					if (i % 3 < 2) accepted.push(i);
				}
				drawTree({ tokens, parents, probs, accepted: accepted.filter((i) => i % 3 === 0 || i % 3 === 1), next: "\n", seconds: 0.5 });
				const seen = (r, view) => {
					const v = view.getBoundingClientRect();
					return r.left >= v.left && r.right <= v.left + view.clientWidth + 1 && r.top >= v.top && r.bottom <= v.top + view.clientHeight + 1;
				};
				const next = document.querySelector("#tree g.next").getBoundingClientRect(), letters = document.querySelector("#tree .root text").getBoundingClientRect().height;
				return ["tree", "sheet"].every((id) => seen(next, document.getElementById(id))) && letters >= 9 ? "" : "next at " + JSON.stringify(next) + ", text of " + letters;
			})`)
			if got != "" {
				t.Errorf("%d nodes on %d pixels: %s", nodes, width, got)
			}
			b.screenshot(session, "tree-"+strconv.Itoa(nodes)+"-"+strconv.Itoa(width))
		}
	}
}
