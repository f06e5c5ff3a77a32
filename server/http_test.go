package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
)

func TestMalformedRequests(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	for _, c := range []struct {
		path, kind, body string
		status           int
		want             string
	}{
		{"/v1/chat/completions", "application/json", `{`, 400, "not valid JSON: unexpected end"},
		{"/v1/chat/completions", "application/json", `[]`, 400, "the request must be an object, not a list"},
		{"/v1/chat/completions", "application/json", `{"messages": [{"role": "user", "content": 3}]}`, 400, "content"},
		{"/v1/chat/completions", "application/json", `{"messages": [{"role": "user", "content": "a"}]} {}`, 400, "after top-level value"},
		{"/v1/chat/completions", "application/json", `{"messages": [{"role": "robot", "content": "a"}]}`, 400, `role \"robot\"`},
		{"/v1/chat/completions", "text/plain", `{"messages": [{"role": "user", "content": "a"}]}`, 415, "Content-Type"},
		{"/v1/chat/completions", "application/json", `{"stream_options": {}, "messages": [{"role": "user", "content": "a"}]}`, 400, "without stream"},
		{"/v1/completions", "application/json", `{"prompt": [1, 999999]}`, 400, "prompt[1] must be an integer"},
		{"/v1/completions", "application/json", `{"prompt": ""}`, 400, "prompt is empty"},
		{"/v1/completions", "application/json", `{"prompt": ["a", ""]}`, 400, "prompt[1] is empty"},
		{"/v1/completions", "application/json", `{"prompt": ["a", [1]], "n": 33}`, 400, "too many"},
		{"/v1/completions", "application/json", `{"prompt": {}}`, 400, "prompt must be a string, tokens, or a list of either, not an object"},
		{"/v1/completions", "application/json", `{}`, 400, "the prompt is empty"},
		{"/v1/completions", "application/json", ``, 400, "the request has no body"},
		{"/v1/embeddings", "application/json", `{}`, 400, "there is no input"},
		{"/v1/embeddings", "application/json", `{"input": ["a", ""]}`, 400, "input[1] is empty"},
		{"/v1/embeddings", "application/json", `{"input": "a", "dimensions": 3}`, 400, "this model's vectors have"},
		{"/v1/embeddings", "application/json", `{"input": "a", "pooling": "max"}`, 400, "neither mean nor last"},
		{"/v1/embeddings", "application/json", `{"input": "a", "encoding_format": "int8"}`, 400, "neither float nor base64"},
		{"/v1/images", "application/json", `{}`, 404, "there is no POST /v1/images"},
	} {
		status, body := post(t, url+c.path, c.kind, c.body, nil)
		var e struct {
			Error struct{ Message, Type string }
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != c.status || e.Error.Type == "" || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, body)
		}
	}
	// A page that reached us by a name of its own would not get an answer.
	status, body := post(t, url+"/v1/chat/completions", "application/json", `{}`, http.Header{"Host": {"rebound.example:8080"}})
	if status != http.StatusForbidden {
		t.Errorf("foreign host: %d %s", status, body)
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	if status, body := post(t, url+"/v1/completions", "application/json", `{"prompt": "1 + 1 =", "max_tokens": 4}`, nil); status != http.StatusOK {
		t.Fatal(body)
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"\})? [-+0-9.e]+)$`)
	text := fetch(t, url+"/metrics")
	for l := range strings.Lines(text) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("line %q", l)
		}
	}
	for _, want := range []string{"lever_requests_total{code=\"200\"} 1\n", "\nlever_tokens_total 4\n", "\nlever_request_seconds_count 1\n", "le=\"+Inf\"} 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if got := fetch(t, url+"/healthz"); !strings.Contains(got, "ok") {
		t.Errorf("healthz: %s", got)
	}
}

// Tokens and passes are counted while they are generated, and those of each once.
func TestMetricsOfAnswerUnderWay(t *testing.T) {
	engine, err := lever.Open(t.Context(), lever.Config{Model: models.Target, Draft: models.Draft, DRAM: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	url := start(t, server.Options{Engine: engine})
	figure := func(name string) int {
		found := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindStringSubmatch(fetch(t, url+"/metrics"))
		if found == nil {
			t.Fatalf("there is no %s", name)
		}
		value, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	response, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(`{"prompt": "1 + 1 =", "max_tokens": 1000, "stream": true, "stream_options": {"include_usage": true}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	until(t, "tokens and passes are counted", func() bool {
		return figure("lever_tokens_total") > 0 && figure("lever_first_tokens_total") == 1 && figure("lever_passes_total") > 0
	})
	if figure("lever_requests_running") == 0 {
		t.Error("they were counted only when the answer was complete")
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, field := range map[string]string{"lever_tokens_total": "completion_tokens", "lever_first_tokens_total": "first_tokens", "lever_passes_total": "passes", "lever_drafted_tokens_total": "drafted"} {
		if told := regexp.MustCompile(`"` + field + `":(\d+)`).FindSubmatch(body); told == nil || string(told[1]) != strconv.Itoa(figure(name)) {
			t.Errorf("%s is %d, the answer says %q", name, figure(name), told)
		}
	}
	until(t, "all bytes that were read are counted", func() bool { // reading ahead goes on after the answer, until buffers are full
		read := figure("lever_flash_read_bytes_total")
		return read > 0 && read == int(engine.BytesRead())
	})
}

// A client that reads nothing does not hold up the others, and is dropped.
func TestReaderThatDoesNotRead(t *testing.T) {
	engine := openEngine(t)
	url := start(t, server.Options{Engine: &talker{Engine: engine}, WriteTime: 300 * time.Millisecond})
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	body := `{"stream": true, "messages": [{"role": "user", "content": "talk"}]}`
	fmt.Fprintf(connection, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if status, got := post(t, url+"/v1/completions", "application/json", `{"prompt": "1 + 1 =", "max_tokens": 4}`, nil); status != http.StatusOK {
		t.Errorf("another client: %d %s", status, got)
	}
	until(t, "the reader is dropped", func() bool { return strings.Contains(fetch(t, url+"/metrics"), "\nlever_requests_open 0\n") })
	// What is there still comes, but not all.
	if err := errors.Join(connection.(*net.TCPConn).SetReadBuffer(1<<20), connection.SetReadDeadline(time.Now().Add(time.Second))); err != nil {
		t.Fatal(err)
	}
	if n, _ := io.Copy(io.Discard, connection); n > talk*int64(len(chatter))*10 {
		t.Errorf("it got %d bytes", n)
	}
}

const (
	talk    = 100_000 // 87 MB, more than the buffers of any socket
	chatter = "all work and no play makes a dull answer, but one that no buffer of a socket can hold. "
)

// talker says a lot when it is asked to talk.
type talker struct{ server.Engine }

func (e *talker) Generate(ctx context.Context, req lever.Request, emit func(string) error) (lever.Result, error) {
	if len(req.Messages) == 0 {
		return e.Engine.Generate(ctx, req, emit)
	}
	for range talk {
		if err := emit(strings.Repeat(chatter, 10)); err != nil {
			return lever.Result{}, err
		}
	}
	return lever.Result{Finish: "stop"}, nil
}

// Thoughts come apart from the answer, streamed or not.
func TestThinking(t *testing.T) {
	url := start(t, server.Options{Engine: thinker{openEngine(t)}})
	body := `{"messages": [{"role": "user", "content": "2 + 2"}]`
	_, got := post(t, url+"/v1/chat/completions", "application/json", body+`}`, nil)
	if !strings.Contains(got, `"reasoning_content":"Two and two.","content":"4"`) {
		t.Errorf("%s", got)
	}
	_, got = post(t, url+"/v1/chat/completions", "application/json", body+`, "stream": true}`, nil)
	var reasoning, content strings.Builder
	lines := bufio.NewScanner(strings.NewReader(got))
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: {")
		if !ok {
			continue
		}
		var part struct {
			Choices []struct {
				Delta struct {
					Content   string
					Reasoning string `json:"reasoning_content"`
				}
			}
		}
		if err := json.Unmarshal([]byte("{"+data), &part); err != nil {
			t.Fatal(err)
		}
		for _, c := range part.Choices {
			reasoning.WriteString(c.Delta.Reasoning)
			content.WriteString(c.Delta.Content)
		}
	}
	if reasoning.String() != "Two and two." || content.String() != "4" || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("%q, %q in %s", reasoning.String(), content.String(), got)
	}
}

type thinker struct{ server.Engine }

func (thinker) Generate(_ context.Context, _ lever.Request, emit func(string) error) (lever.Result, error) {
	for _, text := range []string{"<thi", "nk>\nTwo and", " two.\n</", "think>\n\n", "4"} {
		if err := emit(text); err != nil {
			return lever.Result{}, err
		}
	}
	return lever.Result{Finish: "stop"}, nil
}

// A failure of the model is told as one, and not in detail; in a stream, within it.
func TestFailingModel(t *testing.T) {
	url := start(t, server.Options{Engine: failing{openEngine(t)}})
	for _, stream := range []string{"false", "true"} {
		status, got := post(t, url+"/v1/chat/completions", "application/json", `{"stream": `+stream+`, "messages": [{"role": "user", "content": "a"}]}`, nil)
		if (status == http.StatusOK) != (stream == "true") || !strings.Contains(got, `"type":"server_error"`) || strings.Contains(got, "chunk 7") {
			t.Errorf("stream %s: %d %s", stream, status, got)
		}
	}
}

type failing struct{ server.Engine }

func (failing) Generate(ctx context.Context, _ lever.Request, emit func(string) error) (lever.Result, error) {
	err := emit("a")
	return lever.Result{}, errors.Join(err, errors.New("chunk 7 is corrupt"))
}

// When the server is to end, requests under way get their time, and what is left is cancelled.
func TestServerEnds(t *testing.T) {
	engine := &slowEngine{Engine: openEngine(t), started: make(chan string, 8), finish: make(chan struct{})}
	s, err := server.New(server.Options{Engine: engine, Model: "demo", DrainTime: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	answered := make(chan int, 1)
	go func() {
		status, _ := post(t, "http://"+l.Addr().String()+"/v1/chat/completions", "application/json", `{"messages": [{"role": "user", "content": "a"}]}`, nil)
		answered <- status
	}()
	<-engine.started
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("the request under way got %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A connection serves another request after the time in which the answer to the one before had to be read.
func TestConnectionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := server.New(server.Options{Engine: openEngine(t), Model: "demo", WriteTime: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		l := make(pipes)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, l) }()
		dialled := 0
		client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dialled++
			ours, theirs := net.Pipe()
			l <- theirs
			return ours, nil
		}}}
		for _, body := range []string{`{"prompt": "1 + 1 =", "max_tokens": 2}`, `{`, `{"prompt": "1 + 1 =", "max_tokens": 2, "stream": true}`, `{`} {
			want := http.StatusOK
			if body == `{` {
				want = http.StatusBadRequest
			}
			response, err := client.Post("http://demo/v1/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(response.Body); response.StatusCode != want || err != nil {
				t.Errorf("%s: %d %s, %v", body, response.StatusCode, got, err)
			}
			response.Body.Close()
			time.Sleep(90 * time.Second)
		}
		if dialled != 1 {
			t.Errorf("%d connections", dialled)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
	})
}

// pipes is a listener without a network, so that the clock of its connections can be simulated.
type pipes chan net.Conn

func (l pipes) Accept() (net.Conn, error) {
	conn, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l pipes) Close() error   { close(l); return nil }
func (l pipes) Addr() net.Addr { return &net.TCPAddr{} }

// An error that no API has found yet is told in the form of the API that the path belongs to.
func TestErrorsBesideTheAPIs(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), APIKey: key})
	for path, want := range map[string]string{
		"/v1/messages/batches": `{"error":{"message":"there is no POST /v1/messages/batches","type":"not_found_error"},"type":"error"}`,
		"/v1/messages":         `{"error":{"message":"the API key is missing or wrong; it is sent as Authorization: Bearer KEY","type":"authentication_error"},"type":"error"}`,
		"/api/push":            `{"error":"there is no POST /api/push"}`,
		"/api/chat":            `{"error":"the API key is missing or wrong; it is sent as Authorization: Bearer KEY"}`,
		"/v1/audio":            `{"error":{"message":"there is no POST /v1/audio","type":"invalid_request_error","param":null,"code":"unknown_url"}}`,
	} {
		if _, body := post(t, url+path, "application/json", "{}", nil); strings.TrimSpace(body) != want {
			t.Errorf("%s: %s\nwant %s", path, body, want)
		}
	}
}

// Ollama's clients show when a model was made, what it weighs and what it is.
func TestOllamaModels(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), APIKey: key, File: server.ModelFile{Architecture: "llama", Parameters: 8030261248, Type: "q4_0"}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/tags", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct {
		Models []struct {
			Digest   string
			Modified time.Time `json:"modified_at"`
			Details  struct {
				Family    string
				Families  []string
				Size      string `json:"parameter_size"`
				Quantized string `json:"quantization_level"`
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil || len(list.Models) != 1 || len(list.Models[0].Digest) != 64 || time.Since(list.Models[0].Modified) > time.Hour {
		t.Fatalf("%v: %+v", err, list)
	}
	if d := list.Models[0].Details; d.Family != "llama" || len(d.Families) != 1 || d.Size != "8.0B" || d.Quantized != "Q4_0" {
		t.Errorf("%+v", d)
	}
}

func TestCountTokens(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	ask := func(path, body string) string {
		status, answer := post(t, url+path, "application/json", body, nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
		return answer
	}
	const body = `{"messages": [{"role": "user", "content": "How warm is it?"}], "system": "Be brief.", "max_tokens": 1}`
	var counted struct {
		Tokens int `json:"input_tokens"`
	}
	var message struct {
		Usage struct {
			Input int `json:"input_tokens"`
			Read  int `json:"cache_read_input_tokens"`
		}
	}
	if err := json.Unmarshal([]byte(ask("/v1/messages/count_tokens", body)), &counted); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(ask("/v1/messages", body)), &message); err != nil {
		t.Fatal(err)
	}
	if u := message.Usage; counted.Tokens < 10 || counted.Tokens != u.Input+u.Read {
		t.Errorf("counted %d tokens, the prompt has %+v", counted.Tokens, u)
	}
	// A client asks what is too long, too, to shorten it.
	long := `{"messages": [{"role": "user", "content": "` + strings.Repeat("word ", 5000) + `"}]}`
	if err := json.Unmarshal([]byte(ask("/v1/messages/count_tokens", long)), &counted); err != nil || counted.Tokens < 5000 {
		t.Errorf("%v, counted %d", err, counted.Tokens)
	}
	for _, bad := range []string{`{"messages": []}`, `{"messages": [{"role": "user", "content": "a"}], "nonsense": 1}`} {
		if status, answer := post(t, url+"/v1/messages/count_tokens", "application/json", bad, nil); status != http.StatusBadRequest || !strings.HasPrefix(answer, `{"error"`) {
			t.Errorf("%s: %d %s", bad, status, answer)
		}
	}
}

// A request that ends early, or whose chunks are none, is refused, whichever path it is for; and one whose client sends no more gets an answer or a
// status that says that there is none.
func TestIncompleteRequests(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	send := func(path, header, body string) (status int, answer string) {
		connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%s\r\n\r\n%s", path, header, body)
		connection.(*net.TCPConn).CloseWrite()
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return response.StatusCode, string(content)
	}
	for path, body := range map[string]string{
		"/v1/chat/completions":      `{"messages": [{"role": "user", "content": "1"}], "max_tokens": 2}`,
		"/v1/completions":           `{"prompt": "1", "max_tokens": 2}`,
		"/v1/messages":              `{"messages": [{"role": "user", "content": "1"}], "max_tokens": 2}`,
		"/v1/messages/count_tokens": `{"messages": [{"role": "user", "content": "1"}]}`,
		"/v1/embeddings":            `{"input": "1"}`,
		"/api/chat":                 `{"model": "demo", "messages": [{"role": "user", "content": "1"}], "stream": false}`,
		"/tokenize":                 `{"content": "1"}`,
	} {
		for header, sent := range map[string]string{
			"Content-Length: 1000":       body,
			"Transfer-Encoding: chunked": "5\r\n" + body[:5] + "\r\nzz\r\n",
		} {
			if status, answer := send(path, header, sent); status != http.StatusBadRequest || !strings.Contains(answer, "the request's body is cut") {
				t.Errorf("%s, %s: status %d: %s", path, header, status, answer)
			}
		}
		status, answer := send(path, fmt.Sprintf("Content-Length: %d", len(body)), body)
		if (status != http.StatusOK || answer == "") && status != 499 {
			t.Errorf("%s: status %d: %q", path, status, answer)
		}
	}
}
