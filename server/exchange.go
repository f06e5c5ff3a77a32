package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/lever-go/lever"
)

// exchange writes the answer to one request, and remembers what the log tells of it.
type exchange struct {
	http.ResponseWriter
	began  time.Time
	status int           // 0 until something was written
	waited time.Duration // for the engine
	result *lever.Result // nil if nothing was generated
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer began.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] find the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// log tells of an exchange that has ended, but nothing of what was said, and no key.
func (x *exchange) log(to *slog.Logger, r *http.Request) {
	about := []any{"method", r.Method, "path", r.URL.Path, "status", x.status, "seconds", time.Since(x.began).Seconds()}
	if x.result != nil {
		about = append(about, "waited_seconds", x.waited.Seconds(), "prompt_tokens", x.result.PromptTokens, "reused_tokens", x.result.ReusedTokens,
			"tokens", x.result.Tokens, "finish", x.result.Finish)
	}
	to.Debug("request", about...)
}
