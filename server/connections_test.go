package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/tokenizer"
)

// Connections that ask for nothing, however many, keep nobody out: those that have been silent for longest are closed.
func TestSilentConnectionsGiveWay(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), Clients: 4})
	var silent []net.Conn
	for range 300 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	until(t, "the first connection is closed", func() bool {
		silent[0].SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := silent[0].Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	})
	if got := fetch(t, url+"/healthz"); !strings.Contains(got, "ok") {
		t.Error(got)
	}
	last := silent[len(silent)-1]
	last.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := last.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
		t.Error("the last connection is closed")
	}
}

// fallbackEngine can't use the model's template for conversations that begin with a message of the system.
type fallbackEngine struct{ server.Engine }

func (e fallbackEngine) Prepare(ctx context.Context, req *lever.Request) (tokenizer.Prompt, error) {
	prompt, err := e.Engine.Prepare(ctx, req)
	if err == nil && req.Messages[0].Role == "system" {
		prompt.Builtin, prompt.Fallback = "chatml", errors.New("no system message")
	}
	return prompt, err
}

// A conversation for which a built-in template takes the place of the model's own is told of in the log, with the model and the reason, once.
func TestFallbackIsLogged(t *testing.T) {
	var log syncedText
	url := start(t, server.Options{Engine: fallbackEngine{openEngine(t)}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, c := range []struct {
		messages string
		told     int
	}{
		{`{"role": "user", "content": "hi"}`, 0},
		{`{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}`, 1},
		{`{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}`, 1},
	} {
		if status, got := post(t, url+"/v1/chat/completions", "application/json", `{"max_tokens": 1, "messages": [`+c.messages+`]}`, nil); status != http.StatusOK {
			t.Errorf("%d %s", status, got)
		}
		if text := log.String(); strings.Count(text, `model=demo template=chatml error="no system message"`) != c.told {
			t.Errorf("after %s the log is %q", c.messages, text)
		}
	}
}

// syncedText is a text that goroutines append to.
type syncedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *syncedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *syncedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
