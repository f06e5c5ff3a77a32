package server_test

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever/server"
)

// hostileRequests returns bodies that take long to read, to render, to encode, to compile or to follow. All differ, so that none is answered by
// what was kept of another.
func hostileRequests() (bodies []string) {
	schema := func(text string) {
		bodies = append(bodies, `{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, "response_format": {"type": "json_schema", "json_schema": {"schema": `+text+`}}}`)
	}
	for i := range 6 {
		var definitions, properties strings.Builder
		for d := range 30 {
			fmt.Fprintf(&definitions, `"a%d": {"anyOf": [{"$ref": "#/$defs/a%d"}, {"$ref": "#/$defs/a%d"}]}, `, d, d+1, d+1)
		}
		schema(fmt.Sprintf(`{"$defs": {%s "a30": {"const": %d}}, "$ref": "#/$defs/a0"}`, definitions.String(), i))
		schema(fmt.Sprintf(`{"type": "string", "pattern": "%s%d"}`, strings.Repeat("[a-z]*", 300), i))
		schema(fmt.Sprintf(`{"type": "string", "pattern": "(%d|a{0,4000}){0,4000}"}`, i))
		schema(fmt.Sprintf(`{"type": "array", "maxItems": 4096, "items": {"type": "array", "maxItems": 4096, "items": {"const": %d}}}`, i))
		definitions.Reset()
		for d := range 2000 {
			fmt.Fprintf(&definitions, `"a%d": {"$ref": "#/$defs/a%d"}, `, d, d+1)
			fmt.Fprintf(&properties, `"p%d": {"type": "integer"}, `, d)
		}
		schema(fmt.Sprintf(`{"$defs": {%s "a2000": {"const": %d}}, "$ref": "#/$defs/a0"}`, definitions.String(), i))
		schema(fmt.Sprintf(`{"type": "object", "properties": {%s "last": {"const": %d}}}`, properties.String(), i))
	}
	empty := strings.Repeat(`{"role": "user"}, `, 200_000)
	long := strings.Repeat("All work and no play makes 1 dull boy. ", 100_000)
	for i := range 4 {
		bodies = append(bodies,
			fmt.Sprintf(`{"max_tokens": 1, "messages": [%s {"role": "user", "content": "%d"}]}`, empty, i),
			fmt.Sprintf(`{"max_tokens": 1, "messages": [{"role": "user", "content": "%s%d"}]}`, long, i),
			fmt.Sprintf(`{"max_tokens": 1, "messages": [{"role": "user", "content": "hi"}], "stop": [%s "%d"]}`, strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+",", i))
	}
	return bodies
}

// Requests made to take long, from clients that wait or leave, do not keep others waiting.
func TestHostileRequests(t *testing.T) {
	url := start(t, server.Options{Engine: openParallel(t, 4)}) // as lever serve has it
	ask := func() time.Duration {
		t.Helper()
		began := time.Now()
		status, got := post(t, url+"/v1/chat/completions", "application/json", `{"max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}`, nil)
		if status != http.StatusOK {
			t.Errorf("a decent request: %d %s", status, got)
		}
		return time.Since(began)
	}
	for range 3 {
		ask()
	}
	bodies := hostileRequests()
	runtime.GC() // what is left of making them is not the server's
	alone := ask()
	var wait sync.WaitGroup
	for i, body := range bodies {
		wait.Go(func() {
			client := &http.Client{Timeout: 2 * time.Minute}
			if i%4 == 3 {
				client.Timeout = 100 * time.Millisecond // leaves
			}
			response, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
			if err != nil {
				if i%4 != 3 {
					t.Errorf("request %d, of %d bytes, got no answer: %v", i, len(body), err)
				}
				return
			}
			response.Body.Close()
			switch response.StatusCode {
			case http.StatusOK, http.StatusBadRequest, http.StatusTooManyRequests:
			default:
				t.Errorf("request %d, of %d bytes, got %s", i, len(body), response.Status)
			}
			client.CloseIdleConnections()
		})
	}
	done := make(chan struct{})
	go func() {
		wait.Wait()
		close(done)
	}()
	var took []time.Duration
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
			took = append(took, ask())
		}
	}
	slices.Sort(took)
	most := took[len(took)-1]
	t.Logf("%d decent requests: median %v, 99%% %v, longest %v; alone %v", len(took), took[len(took)/2], took[len(took)*99/100], most, alone)
	// Nothing holds it for long, and a large request never has the last turn: it takes less than a tenth of a second where the machine does nothing else.
	if most > 10*time.Second {
		t.Errorf("a decent request took %v", most)
	}
}
