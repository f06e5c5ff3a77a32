package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/tokenizer"
)

// Engine generates text, one request at a time; *lever.Engine is one.
type Engine interface {
	Generate(ctx context.Context, req lever.Request, emit func(text string) error) (lever.Result, error)
	Tokenizer() *tokenizer.Tokenizer
	// Chat and Vocabulary may be called during a generation.
	Chat(ctx context.Context, req lever.Request) (tokenizer.Prompt, error)
	Vocabulary() (*grammar.Vocabulary, error)
}

// Options describe a [Server]. Engine and Model must be set.
type Options struct {
	Engine Engine // stays the caller's, and is used by nobody else in the meantime
	Model  string // the name that requests ask for

	// Request holds what a request that leaves it out gets: limits, sampling, policy.
	Request lever.Request
	// APIKey is asked of requests, as "Authorization: Bearer KEY"; empty: none is.
	APIKey string

	Waiting   int           // requests that may wait while another one is answered; 0 = 16
	Clients   int           // requests that may be open at once, those included whose answer is complete but not yet read; 0 = 256
	MaxBody   int64         // bytes of a request; 0 = 4 MiB
	ReadTime  time.Duration // that a client may take to send a request; 0 = 30 s
	WriteTime time.Duration // that it may take to read what is there, after which it is dropped; 0 = 30 s
	DrainTime time.Duration // that requests under way have when the server is to end; 0 = 10 s

	// Log is told of failures that are not the clients'; nil = nobody is.
	Log *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Engine == nil || o.Model == "" {
		return o, errors.New("server: an engine and the name of its model are needed")
	}
	if min(o.Waiting, o.Clients, int(o.MaxBody)) < 0 || min(o.ReadTime, o.WriteTime, o.DrainTime) < 0 {
		return o, errors.New("server: a limit is negative")
	}
	set := func(value *int, otherwise int) {
		if *value == 0 {
			*value = otherwise
		}
	}
	wait := func(value *time.Duration, otherwise time.Duration) {
		if *value == 0 {
			*value = otherwise
		}
	}
	set(&o.Waiting, 16)
	set(&o.Clients, 256)
	if o.MaxBody == 0 {
		o.MaxBody = 4 << 20
	}
	wait(&o.ReadTime, 30*time.Second)
	wait(&o.WriteTime, 30*time.Second)
	wait(&o.DrainTime, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Server is an [http.Handler] that answers OpenAI's API. It is safe for concurrent use.
type Server struct {
	options Options
	key     [sha256.Size]byte
	queue   *queue
	clients chan struct{}
	metrics metrics
	mux     *http.ServeMux
	ending  atomic.Bool
	local   atomic.Bool // only requests that name a loopback address are answered

	mu       sync.Mutex
	grammars map[[sha256.Size]byte]*grammar.Grammar
}

// New returns a server. Nothing listens yet.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, key: sha256.Sum256([]byte(o.APIKey)), queue: newQueue(o.Waiting), clients: make(chan struct{}, o.Clients),
		mux: http.NewServeMux(), grammars: map[[sha256.Size]byte]*grammar.Grammar{},
	}
	s.metrics.init()
	s.mux.Handle("POST /v1/chat/completions", s.api(s.chat))
	s.mux.Handle("POST /v1/completions", s.api(s.complete))
	s.mux.Handle("GET /v1/models", s.keyed(s.listModels))
	s.mux.Handle("GET /v1/models/{model...}", s.keyed(s.showModel))
	s.mux.Handle("GET /metrics", s.keyed(s.showMetrics))
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.Handle("GET /{$}", page)
	s.mux.Handle("GET /page/", page)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, refused(http.StatusNotFound, "invalid_request_error", "unknown_url", "there is no %s %s", r.Method, r.URL.Path))
	})
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.deadline(w) // else that of the request before on this connection would hold
	if s.local.Load() && !namesLoopback(r.Host) {
		writeError(w, refused(http.StatusForbidden, "invalid_request_error", "", "this server answers on its loopback address only, not as %q", r.Host))
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

// namesLoopback reports whether a Host header names this machine itself.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback() || strings.EqualFold(host, "localhost")
}

// Serve answers requests on a listener, which it closes, until ctx is done. Those under way then have DrainTime to end, and are
// cancelled after it. It returns nil if that is how it ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.local.Store(a.IP.IsLoopback())
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: s.options.ReadTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	s.ending.Store(true)
	drain, stop := context.WithTimeout(base, s.options.DrainTime)
	defer stop()
	if h.Shutdown(drain) != nil {
		cancel() // ends generations, and so their requests
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), s.options.WriteTime)
		defer stop()
		if h.Shutdown(last) != nil {
			h.Close()
		}
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// keyed lets only requests with the key through.
func (s *Server) keyed(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		given := sha256.Sum256([]byte(token))
		if s.options.APIKey != "" && subtle.ConstantTimeCompare(given[:], s.key[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeError(w, refused(http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "the API key is missing or wrong"))
			return
		}
		next(w, r)
	})
}

// api serves a request that may have an answer generated.
func (s *Server) api(next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return s.keyed(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.clients <- struct{}{}:
			defer func() { <-s.clients }()
		default:
			s.metrics.requests.add(strconv.Itoa(http.StatusTooManyRequests))
			w.Header().Set("Retry-After", "1")
			writeError(w, refused(http.StatusTooManyRequests, "rate_limit_error", "too_many_requests", "%d requests are open already; try again later", s.options.Clients))
			return
		}
		err := next(w, r)
		status := http.StatusOK
		if err == errGone {
			status = statusGone
		} else if err != nil {
			e := asAPIError(err)
			if status = e.status; status == http.StatusInternalServerError {
				s.options.Log.Error("request failed", "path", r.URL.Path, "error", err)
			}
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", strconv.Itoa(s.queue.retryAfter()))
			}
			s.deadline(w)
			writeError(w, e)
		}
		s.metrics.requests.add(strconv.Itoa(status))
	})
}

// statusGone counts clients that left before they had an answer; nginx numbers them so.
const statusGone = 499

// read decodes a request's body.
func (s *Server) read(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refused(http.StatusUnsupportedMediaType, "invalid_request_error", "", "the request must have Content-Type: application/json")
	}
	connection := http.NewResponseController(w)
	if err := connection.SetReadDeadline(time.Now().Add(s.options.ReadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, s.options.MaxBody))
	if err := d.Decode(v); err != nil {
		return jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("", "", "there is more in the request than one JSON object")
	}
	// A client may be silent from now on.
	if err := connection.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.ending.Load() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "ending"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) model() map[string]any {
	return map[string]any{"id": s.options.Model, "object": "model", "created": 0, "owned_by": "lever"}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{s.model()}})
}

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) {
	if err := s.checkModel(r.PathValue("model")); err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.model())
}

// checkModel fails if a request asks for another model. Naming none asks for the one that there is.
func (s *Server) checkModel(name string) error {
	if name == "" || name == s.options.Model {
		return nil
	}
	e := invalid("model", "model_not_found", "there is no model %q; this server has %q", name, s.options.Model)
	e.status = http.StatusNotFound
	return e
}
