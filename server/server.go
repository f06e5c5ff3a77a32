package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
	"github.com/minio/sha256-simd"
)

// Engine generates text, as many requests at a time as Parallel says; *lever.Engine is one. The other methods are called during a generation, too.
type Engine interface {
	Parallel() int
	Generate(ctx context.Context, req lever.Request, emit func(text string) error) (lever.Result, error)
	Prepare(ctx context.Context, req *lever.Request) (tokenizer.Prompt, error)
	Vocabulary() (*grammar.Vocabulary, error)
	Embed(ctx context.Context, texts [][]int32, pooling lever.Pooling) ([][]float32, error)
	Width() int
	ToolGrammar(ctx context.Context, tools []toolcall.Tool, choice toolcall.Choice) (*toolcall.Grammar, error)
	Tokenizer() *tokenizer.Tokenizer
	Context() int
	BytesRead() int64
}

// Options describe a [Server]. Engine and Model must be set.
type Options struct {
	Engine Engine // stays the caller's, and is used by nobody else in the meantime
	Model  string // the name that requests ask for

	// File describes the model in Ollama's lists of models.
	File ModelFile

	// Request holds what a request that leaves it out gets: limits, sampling, policy.
	Request lever.Request
	// APIKey is asked of requests, as "Authorization: Bearer KEY" or "X-Api-Key: KEY"; if empty, requests need no key.
	APIKey string
	// Origins are those of web pages that may call, such as "http://localhost:3000"; "*" is all. Pages of this server's own origin always may.
	Origins []string
	// Hosts are names that requests to a loopback address may have in their Host header beside those of the address itself, such as
	// "host.docker.internal".
	Hosts []string

	Waiting   int           // requests that may wait while others are answered, half of them large, and again to be prepared; if zero, 16
	Clients   int           // requests that may be open at once, those included whose answer is complete but not yet read; if zero, 256
	MaxBody   int64         // bytes of a request; if zero, 4 MiB
	ReadTime  time.Duration // that a client may take to send a request; if zero, 30 s
	WriteTime time.Duration // that it may take to read what is there, after which it is dropped; if zero, 30 s
	DrainTime time.Duration // that requests under way have when the server is to end; if zero, 10 s

	// Log, if not nil, is called with failures that are not the clients', and with level debug of each request, without its text.
	Log *slog.Logger
}

// silentConnections are those that may be open without a request. Beyond them, the one that has been silent for longest is closed.
const silentConnections = 256

// maxClients is the largest number of requests that may be open: more than there are ports.
const maxClients = 1 << 16

// Check tells what is wrong with the options, but for Engine, so that a program need not open a model to find it out.
func (o *Options) Check() error {
	if o.Model == "" {
		return errors.New("server: the model has no name")
	}
	if min(o.Waiting, o.Clients, int(o.MaxBody)) < 0 || min(o.ReadTime, o.WriteTime, o.DrainTime) < 0 {
		return errors.New("server: a limit is negative")
	}
	if max(o.Waiting, o.Clients) > maxClients {
		return fmt.Errorf("server: more than %d requests can't be open at once", maxClients)
	}
	return o.checkCallers()
}

func (o Options) withDefaults() (Options, error) {
	if err := o.Check(); err != nil {
		return o, err
	}
	if o.Engine == nil {
		return o, errors.New("server: there is no engine")
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
	if o.File.Time.IsZero() {
		o.File.Time = time.Now()
	}
	if o.File.SHA256 == "" {
		sum := sha256.Sum256([]byte(o.Model))
		o.File.SHA256 = hex.EncodeToString(sum[:])
	}
	wait(&o.ReadTime, 30*time.Second)
	wait(&o.WriteTime, 30*time.Second)
	wait(&o.DrainTime, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// ModelFile describes a model as it is stored.
type ModelFile struct {
	Architecture string // such as "llama"
	Parameters   int64
	Type         string // of most of them, such as "q4_0"
	Bytes        int64
	SHA256       string    // hexadecimal; if empty, that of the model's name
	Time         time.Time // at which it was made; if zero, that at which the server was
}

// Server is an [http.Handler] that answers the APIs. It is safe for concurrent use.
type Server struct {
	options   Options
	key       [sha256.Size]byte
	bodies    bodies
	clients   chan struct{}
	preparing *queue // of what takes long before an answer
	grammars  *grammars[*grammar.Grammar]
	tools     *grammars[*toolcall.Grammar]
	queue     *queue // for the engine
	light     light
	metrics   metrics
	mux       *http.ServeMux
	ending    atomic.Bool
	local     atomic.Bool // only requests that name a loopback address are answered
	fallbacks fallbacks
}

// New returns a server. Nothing listens yet.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, key: sha256.Sum256([]byte(o.APIKey)), bodies: bodies{most: o.MaxBody, limit: o.ReadTime}, clients: make(chan struct{}, o.Clients),
		preparing: newQueue(o.Waiting, 1), queue: newQueue(o.Waiting, o.Engine.Parallel()), mux: http.NewServeMux(),
	}
	s.grammars = newGrammars(maxGrammarBytes, s.compile)
	s.tools = newGrammars(maxGrammarBytes, s.compileTools)
	s.metrics.init()
	base, messages := sampling{served: o.Model, vocab: o.Engine.Tokenizer().Size()}, conversation{context: o.Engine.Context()}
	s.mux.Handle("POST /v1/chat/completions", s.api(func() question {
		return &chatRequest{sampling: base, conversation: messages}
	}))
	s.mux.Handle("POST /v1/completions", s.api(func() question {
		return &completionRequest{sampling: base}
	}))
	s.mux.Handle("POST /v1/messages", s.api(func() question {
		return &messagesRequest{sampling: base, conversation: messages}
	}))
	s.mux.Handle("POST /v1/messages/count_tokens", s.small(anthropicRefusal, func(r *http.Request, body []byte) (any, error) {
		return s.countTokens(r.Context(), &messagesRequest{sampling: base, conversation: messages}, body)
	}))
	s.mux.Handle("POST /v1/responses", s.api(func() question {
		return &responsesRequest{sampling: base, conversation: messages}
	}))
	s.mux.Handle("POST /api/chat", s.api(func() question {
		return &ollamaChat{ollamaRequest: newOllamaRequest(base), conversation: messages}
	}))
	s.mux.Handle("POST /api/generate", s.api(func() question { return &ollamaGenerate{ollamaRequest: newOllamaRequest(base)} }))
	s.mux.Handle("POST /api/show", s.small(ollamaRefusal, s.ollamaShow))
	s.mux.Handle("GET /api/tags", s.keyed(s.ollamaModels))
	s.mux.Handle("GET /api/ps", s.keyed(s.ollamaRunning))
	s.mux.Handle("GET /api/version", s.keyed(s.ollamaVersion))
	s.mux.Handle("POST /v1/embeddings", s.embeddings(openAIRefusal, openAIEmbedFields, openAIEmbeddings))
	s.mux.Handle("POST /api/embed", s.embeddings(ollamaRefusal, ollamaEmbedFields, ollamaEmbeddings))
	s.mux.Handle("POST /api/embeddings", s.embeddings(ollamaRefusal, ollamaEmbedOneFields, ollamaEmbedding))
	s.mux.Handle("POST /tokenize", s.small(openAIRefusal, s.tokenize))
	s.mux.Handle("POST /detokenize", s.small(openAIRefusal, s.detokenize))
	s.mux.Handle("GET /v1/models", s.keyed(s.listModels))
	s.mux.Handle("GET /v1/models/{model...}", s.keyed(s.showModel))
	s.mux.Handle("GET /metrics", s.keyed(s.showMetrics))
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.Handle("GET /{$}", page)
	s.mux.Handle("GET /page/", page)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, refused(http.StatusNotFound, "invalid_request_error", "unknown_url", "there is no %s %s", r.Method, r.URL.Path))
	})
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.deadline(w) // else that of the request before on this connection would hold
	x := &exchange{ResponseWriter: w, began: time.Now()}
	x.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case !s.callable(r.Host):
		refuse(x, r, refused(http.StatusForbidden, "invalid_request_error", "", "this server answers on its loopback address only, not as %q", r.Host))
	case !s.crossOrigin(x, r):
		s.mux.ServeHTTP(x, r)
	}
	x.log(s.options.Log, r)
}

// Serve answers requests on a listener, which it closes, until ctx is done. Those under way then have DrainTime to end, and are
// cancelled after it. It returns nil if that is how it ended. While it serves, GOMAXPROCS of the process is larger by one, unless the environment sets
// it: while goroutines are ready on all of a smaller number, the scheduler looks at the network only every 10 ms.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.local.Store(a.IP.IsLoopback())
	}
	defer host.Raise(1)()
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: s.options.ReadTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         (&connections{most: silentConnections + s.options.Clients}).changed,
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

// api serves requests for an answer, whose fields go into a new question.
func (s *Server) api(ask func() question) http.Handler {
	refusal := ask().refusal
	return s.answering(refusal, func(x *exchange, r *http.Request) error { return s.serve(x, r, ask()) })
}

// answering serves requests by f, whose error says that nothing was written, unless there is a status.
func (s *Server) answering(refusal func(*apiError) any, f func(x *exchange, r *http.Request) error) http.Handler {
	return s.keyed(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		if err := f(x, r); err != nil {
			switch e := s.fault(r.Context(), err); {
			case x.status != 0: // there is no way to tell
				x.status = e.status
			case e == errGone:
				gone(x)
			default:
				if e.status == http.StatusTooManyRequests {
					x.Header().Set("Retry-After", strconv.Itoa(s.queue.retryAfter()))
				}
				s.deadline(x)
				writeJSON(x, e.status, refusal(e))
			}
		}
		s.metrics.requests.add(strconv.Itoa(x.status))
	})
}

// admit reads a request and counts it among those that are open, until leave is called. One that is still being read takes no place of these.
func (s *Server) admit(x *exchange, r *http.Request) (body []byte, leave func(), err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, nil, refused(http.StatusUnsupportedMediaType, "invalid_request_error", "", "the request must have Content-Type: application/json")
	}
	if body, err = s.bodies.read(x, r); err != nil {
		return nil, nil, err
	}
	select {
	case s.clients <- struct{}{}:
		return body, func() { <-s.clients }, nil
	default:
		return nil, nil, refused(http.StatusTooManyRequests, "rate_limit_error", "too_many_requests", "no more than %s may be open; try again later", plural.Of(s.options.Clients, "request"))
	}
}

// serve reads a request and answers it.
func (s *Server) serve(x *exchange, r *http.Request, q question) error {
	body, leave, err := s.admit(x, r)
	if err != nil {
		return err
	}
	defer leave()
	j, err := s.prepare(r.Context(), body, q)
	if err != nil {
		return err
	}
	if j.ready != nil {
		s.deadline(x)
		writeJSON(x, http.StatusOK, j.ready)
		return nil
	}
	return s.answer(x, r, j)
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.ending.Load() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "ending"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) model() map[string]any {
	return map[string]any{"id": s.options.Model, "object": "model", "created": 0, "owned_by": "lever", "context_length": s.options.Engine.Context()}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{s.model()}})
}

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) {
	if err := s.checkModel(r.PathValue("model")); err != nil {
		refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s.model())
}

// checkModel fails if a request asks for another model. Naming none asks for the one that there is.
func (s *Server) checkModel(name string) *apiError {
	if name == "" || name == s.options.Model {
		return nil
	}
	e := invalid("model", "model_not_found", "there is no model %q; this server has %q", name, s.options.Model)
	e.status = http.StatusNotFound
	return e
}
