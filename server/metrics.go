package server

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/spec"
)

// metrics are what GET /metrics shows, in Prometheus' text format 0.0.4.
type metrics struct {
	requests counters // by status

	mu         sync.Mutex
	sums       lever.Result // of the counts of all generations
	failed     int
	cancelled  int
	generation histogram // seconds
	firstToken histogram
}

func (m *metrics) init() {
	m.requests.values = map[string]int{}
	m.generation.bounds = []float64{0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000}
	m.firstToken.bounds = m.generation.bounds
}

// counters count by a label.
type counters struct {
	mu     sync.Mutex
	values map[string]int
}

func (c *counters) add(label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[label]++
}

// histogram counts values up to each of its bounds.
type histogram struct {
	bounds []float64
	counts []int
	total  int
	sum    float64
}

func (h *histogram) observe(value float64) {
	if h.counts == nil {
		h.counts = make([]int, len(h.bounds))
	}
	for i, bound := range h.bounds {
		if value <= bound {
			h.counts[i]++
		}
	}
	h.total++
	h.sum += value
}

func (h *histogram) write(w io.Writer, name, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	for i, bound := range h.bounds {
		n := 0
		if h.counts != nil {
			n = h.counts[i]
		}
		fmt.Fprintf(w, "%s_bucket{le=%q} %d\n", name, strconv.FormatFloat(bound, 'g', -1, 64), n)
	}
	fmt.Fprintf(w, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", name, h.total, name, h.sum, name, h.total)
}

// count takes in a generation that ended, perhaps by an error, or as its client had left; the time includes waiting since its request arrived.
func (m *metrics) count(r lever.Result, seen spec.Stats, since time.Duration, err error, left bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil && left:
		m.cancelled++
	case err != nil:
		m.failed++
	}
	m.generation.observe(since.Seconds())
	if r.TimeToFirstToken > 0 {
		m.firstToken.observe(since.Seconds() - r.PrefillSeconds - r.Seconds + r.TimeToFirstToken)
	}
	rest := r.Stats
	rest.Tokens -= seen.Tokens
	rest.First -= seen.First
	rest.Passes -= seen.Passes
	rest.Drafted -= seen.Drafted
	addCounts(&m.sums.Stats, rest)
}

// addCounts adds what another generation took.
func addCounts(s *spec.Stats, r spec.Stats) {
	s.PromptTokens += r.PromptTokens
	s.ReusedTokens += r.ReusedTokens
	s.Tokens += r.Tokens
	s.First += r.First
	s.Forced += r.Forced
	s.Passes += r.Passes
	s.Drafted += r.Drafted
	s.Verified += r.Verified
	s.Pruned += r.Pruned
	s.BytesRead += r.BytesRead
	s.Seconds += r.Seconds
	if s.Passes > 0 {
		s.AcceptedPerPass = float64(s.Tokens-s.First) / float64(s.Passes)
	}
}

// progress counts what a generation that goes on has made since it was last asked. seen is what was counted of that generation.
func (m *metrics) progress(more spec.Stats, seen *spec.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	addCounts(&m.sums.Stats, more)
	addCounts(seen, more)
}

func (s *Server) showMetrics(w http.ResponseWriter, _ *http.Request) {
	var out strings.Builder
	one := func(kind, name, help string, value any) {
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", name, help, name, kind, name, value)
	}
	m := &s.metrics
	out.WriteString("# HELP lever_requests_total Requests for an answer, by HTTP status.\n# TYPE lever_requests_total counter\n")
	m.requests.mu.Lock()
	for _, status := range slices.Sorted(maps.Keys(m.requests.values)) {
		fmt.Fprintf(&out, "lever_requests_total{code=%q} %d\n", status, m.requests.values[status])
	}
	m.requests.mu.Unlock()
	m.mu.Lock()
	sums := m.sums.Stats
	one("counter", "lever_failed_generations_total", "Generations that ended with an error.", m.failed)
	one("counter", "lever_cancelled_generations_total", "Generations that ended early as their client had left.", m.cancelled)
	one("counter", "lever_prompt_tokens_total", "Tokens of prompts.", sums.PromptTokens)
	one("counter", "lever_reused_tokens_total", "Tokens of prompts that were there from the generation before.", sums.ReusedTokens)
	one("counter", "lever_tokens_total", "Tokens that were generated.", sums.Tokens)
	one("counter", "lever_first_tokens_total", "Of these, tokens that came with the end of their prompt, and so in no pass.", sums.First)
	one("counter", "lever_forced_tokens_total", "Of all, tokens that a grammar left no choice about.", sums.Forced)
	one("counter", "lever_passes_total", "Passes over the target model.", sums.Passes)
	one("counter", "lever_drafted_tokens_total", "Tokens that were proposed for passes.", sums.Drafted)
	one("counter", "lever_decode_seconds_total", "Time of generations after their prompt was taken in.", sums.Seconds)
	one("counter", "lever_flash_read_bytes_total", "Bytes of the target model that were read from flash.", s.options.Engine.BytesRead())
	m.generation.write(&out, "lever_request_seconds", "Time from the arrival of a request to the end of its generation.")
	m.firstToken.write(&out, "lever_first_token_seconds", "Time from the arrival of a request to its first token.")
	m.mu.Unlock()
	waiting, running := s.queue.lengths()
	preparing, prepared := s.preparing.lengths()
	one("gauge", "lever_requests_running", "Requests that are being answered.", running)
	one("gauge", "lever_requests_waiting", "Requests that wait for their turn.", waiting)
	one("gauge", "lever_requests_preparing", "Requests that wait to be prepared, or are, as they are long or have a new schema.", preparing+prepared)
	one("gauge", "lever_requests_open", "Requests whose client has not got the whole answer yet.", len(s.clients))
	if resident := host.ResidentMemory(); resident > 0 {
		one("gauge", "process_resident_memory_bytes", "Resident memory of the process.", resident)
	}
	one("gauge", "go_goroutines", "Goroutines of the process.", runtime.NumGoroutine())
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	io.WriteString(w, out.String()) // a client that is gone needs no answer
}
