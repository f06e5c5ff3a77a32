package server_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever/server"
)

// request makes one with headers and returns the answer, whose body is closed.
func request(t *testing.T, method, url string, header map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.Host = header["Host"]
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

func TestKey(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), APIKey: key})
	for header, want := range map[string]int{
		"Bearer " + key: 200, "bearer " + key: 200, "BEARER  " + key: 200,
		"": 401, key: 401, "Bearer": 401, "Bearer ": 401, "Bearer x": 401, "Basic " + key: 401, "Bearer" + key: 401, " " + key: 401, "Bearer " + key + " x": 401,
	} {
		if got := request(t, "GET", url+"/v1/models", map[string]string{"Authorization": header}); got.StatusCode != want {
			t.Errorf("%q: %s, want %d", header, got.Status, want)
		}
	}
}

// A loopback address answers only by its own names, and those it is told of; a page of another origin may call only if it is listed.
func TestCallers(t *testing.T) {
	engine := openEngine(t)
	alone := start(t, server.Options{Engine: engine, APIKey: key})
	open := start(t, server.Options{Engine: engine, APIKey: key, Origins: []string{"http://localhost:3000", "null"}, Hosts: []string{"host.docker.internal"}})
	all := start(t, server.Options{Engine: engine, Origins: []string{"*"}})
	for _, c := range []struct {
		url, host string
		status    int
	}{
		{alone, "localhost", 401}, {alone, "LOCALHOST:80", 401}, {alone, "[::1]:80", 401}, {alone, "127.9.9.9", 401},
		{alone, "host.docker.internal:8080", 403}, {alone, "evil.example", 403}, {alone, "localhost.evil.example", 403}, {alone, "10.0.0.1", 403},
		{open, "host.docker.internal:8080", 401}, {open, "Host.Docker.Internal", 401}, {open, "evil.example", 403},
	} {
		if got := request(t, "GET", c.url+"/v1/models", map[string]string{"Host": c.host}); got.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.host, got.Status, c.status)
		}
	}
	for _, c := range []struct {
		url, origin string
		may         bool
	}{
		{alone, "http://localhost:3000", false}, {open, "http://localhost:3000", true}, {open, "http://localhost:3001", false}, {open, "null", true},
		{open, "https://evil.example", false}, {all, "https://any.example", true},
	} {
		preflight := request(t, "OPTIONS", c.url+"/v1/chat/completions", map[string]string{
			"Origin": c.origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os"})
		call := request(t, "GET", c.url+"/v1/models", map[string]string{"Origin": c.origin}) // refused for want of a key, which the page must be able to read
		want, status := "", http.StatusForbidden
		if c.may {
			want, status = c.origin, http.StatusNoContent
		}
		if preflight.StatusCode != status || preflight.Header.Get("Access-Control-Allow-Origin") != want || call.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: preflight %s %v, call %v", c.origin, preflight.Status, preflight.Header, call.Header)
		}
		if c.may && (!strings.Contains(preflight.Header.Get("Access-Control-Allow-Headers"), "authorization") || preflight.Header.Get("Access-Control-Allow-Methods") != "GET, POST" ||
			call.Header.Get("Vary") != "Origin") {
			t.Errorf("%s: preflight %v, call %v", c.origin, preflight.Header, call.Header)
		}
	}
	if got := request(t, "GET", open+"/v1/models", nil); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a call without an origin got %v", got.Header)
	}
	for _, o := range []server.Options{
		{Origins: []string{"localhost:3000"}}, {Origins: []string{"http://localhost:3000/"}}, {Origins: []string{""}}, {Origins: []string{"http://A.example"}},
		{Hosts: []string{""}}, {Hosts: []string{"a:80"}}, {Hosts: []string{"http://a"}}, {Hosts: []string{"A"}},
	} {
		o.Engine, o.Model = engine, "demo"
		if _, err := server.New(o); err == nil {
			t.Errorf("%q, %q are taken", o.Origins, o.Hosts)
		}
	}
}

// record is a log that a test reads while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// The log of requests has what they took, and nothing of what was said.
func TestLog(t *testing.T) {
	var log record
	o := server.Options{Engine: openEngine(t), APIKey: key, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	url := start(t, o)
	authorized := http.Header{"Authorization": {"Bearer " + key}}
	status, answer := post(t, url+"/v1/completions", "application/json", `{"prompt": "A secret: 1 + 1 =", "max_tokens": 4, "stream": true}`, authorized)
	if status != http.StatusOK {
		t.Fatal(answer)
	}
	post(t, url+"/v1/chat/completions?ask=secret", "application/json", `{"messages": "secret"}`, authorized)
	post(t, url+"/v1/chat/completions", "application/json", `{}`, http.Header{"Authorization": {"Bearer sk-secret"}})
	request(t, "GET", url+"/?ask=secret", nil)
	until(t, "all is logged", func() bool { return strings.Count(log.String(), "msg=request") == 4 })
	text := log.String()
	for _, want := range []string{
		"method=POST path=/v1/completions status=200 seconds=", "waited_seconds=", "prompt_tokens=", " tokens=4 finish=length",
		"path=/v1/chat/completions status=400", "path=/v1/chat/completions status=401", "method=GET path=/ status=200",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret") || strings.Contains(text, key) {
		t.Errorf("the log tells\n%s", text)
	}
}

// A stream that waits for its turn has its headers at once, and a client that leaves meanwhile counts as one that left.
func TestWaitingStream(t *testing.T) {
	engine := &slowEngine{Engine: openEngine(t), started: make(chan string, 8), finish: make(chan struct{})}
	url := start(t, server.Options{Engine: engine})
	ask := func(text string) *http.Response {
		t.Helper()
		response, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream": true, "max_tokens": 2, "messages": [{"role": "user", "content": "`+text+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %s %v", text, response.Status, response.Header)
		}
		return response
	}
	first := ask("first")
	<-engine.started
	second := ask("second") // returns with the headers, while the first one holds the engine
	first.Body.Close()
	if got := <-engine.started; got != "second" {
		t.Errorf("after the first came %q", got)
	}
	close(engine.finish)
	defer second.Body.Close()
	until(t, "the second is answered", func() bool {
		text := fetch(t, url+"/metrics")
		return strings.Contains(text, "lever_requests_total{code=\"200\"} 1\n") && strings.Contains(text, "lever_requests_total{code=\"499\"} 1\n")
	})
	text := fetch(t, url+"/metrics")
	if !strings.Contains(text, "\nlever_failed_generations_total 0\n") || !strings.Contains(text, "\nlever_cancelled_generations_total 1\n") {
		t.Errorf("%s", text)
	}
}

// Clients that send their requests slowly, however many, keep no others out.
func TestSlowSenders(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), Clients: 2, ReadTime: time.Minute})
	question := loadQuestion{path: "/v1/completions", streamed: `{"prompt": "1 + 1 =", "max_tokens": 2}`}
	const senders = 100
	answers := make(chan string, senders)
	var wait sync.WaitGroup
	var connections []net.Conn
	defer func() {
		for _, c := range connections {
			c.Close()
		}
		wait.Wait()
	}()
	for range senders {
		incomplete := question
		incomplete.streamed += "\n"
		connection := sendPart(t, url, incomplete, len(question.streamed)/2)
		if connection == nil {
			return
		}
		connections = append(connections, connection)
		wait.Go(func() {
			answer := make([]byte, 1<<10)
			n, _ := connection.Read(answer)
			answers <- string(answer[:n])
		})
	}
	for range 4 {
		if status, got := post(t, url+question.path, "application/json", question.streamed, nil); status != http.StatusOK {
			t.Errorf("%d %s", status, got)
		}
	}
	for range senders - 64 { // which gave way
		if got := <-answers; !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("one that gave way got %q", got)
		}
	}
}
