package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/server"
	"go.uber.org/goleak"
)

// models holds the demo pair, unpacked once.
var models demo.Pair

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lever-server-")
	if err == nil {
		models, err = demo.Unpack(context.Background(), dir)
	}
	if err != nil {
		panic(err)
	}
	status := m.Run()
	os.RemoveAll(dir)
	if err := goleak.Find(); status == 0 && err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		status = 1
	}
	os.Exit(status)
}

const key = "sk-test"

func openEngine(t testing.TB) *lever.Engine { return openParallel(t, 1) }

// openParallel opens an engine for so many requests at once.
func openParallel(t testing.TB, n int) *lever.Engine {
	t.Helper()
	engine, err := lever.Open(t.Context(), lever.Config{Model: models.Target, Draft: models.Draft, Parallel: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// start serves on a port of its own until the test ends and returns the address.
func start(t testing.TB, o server.Options) (url string) {
	t.Helper()
	o.Model, o.DrainTime = "demo", time.Second
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + l.Addr().String()
}

func fetch(t testing.TB, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %s", url, err, response.Status)
	}
	return string(body)
}

// post sends a body and returns the status and what came back.
func post(t testing.TB, url, contentType, body string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name := range header {
		r.Header[name] = header[name]
	}
	r.Host = header.Get("Host")
	r.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(got)
}

// slowEngine waits before it answers.
type slowEngine struct {
	server.Engine
	started chan string
	finish  chan struct{}
}

func (e *slowEngine) Generate(ctx context.Context, req lever.Request, emit func(string) error) (lever.Result, error) {
	e.started <- req.Messages[0].Content
	select {
	case <-e.finish:
	case <-ctx.Done():
		return lever.Result{}, ctx.Err()
	}
	return e.Engine.Generate(ctx, req, emit)
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("after 20 s it does not hold that %s", what)
		}
	}
}
