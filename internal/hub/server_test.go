package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a hub with one repository, OWNER/model at commit c0ffee, and the faults of real ones.
type server struct {
	*httptest.Server
	files map[string][]byte
	large map[string]bool // have a SHA-256; the others a git sum

	mu       sync.Mutex
	requests []string // "METHOD path range"
	// answer takes the place of the server's own answer where it returns true.
	answer func(w http.ResponseWriter, r *http.Request, asked int) bool
	asked  map[string]int // requests of a path so far
	tokens []string
}

func newServer(t *testing.T, files map[string]string, large ...string) *server {
	t.Helper()
	s := &server{files: map[string][]byte{}, large: map[string]bool{}, asked: map[string]int{}}
	for name, content := range files {
		s.files[name] = []byte(content)
	}
	for _, name := range large {
		s.large[name] = true
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) client() *Client { return &Client{Base: s.URL, Pause: time.Millisecond} }

const commit = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
	s.tokens = append(s.tokens, r.Header.Get("Authorization"))
	s.asked[r.URL.Path]++
	asked, answer := s.asked[r.URL.Path], s.answer
	s.mu.Unlock()
	if answer != nil && answer(w, r, asked) {
		return
	}
	if r.URL.Path == "/api/models/OWNER/model/revision/main" {
		s.list(w)
		return
	}
	for name, content := range s.files {
		if r.URL.Path == "/OWNER/model/resolve/"+commit+"/"+name || r.URL.Path == "/files/"+name {
			w.Header().Set("Etag", `"`+hexSum(content)[:16]+`"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(content)))
			return
		}
	}
	http.NotFound(w, r)
}

func hexSum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (s *server) list(w http.ResponseWriter) {
	type entry map[string]any
	var siblings []entry
	for name, content := range s.files {
		blob := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
		e := entry{"rfilename": name, "size": len(content), "blobId": hex.EncodeToString(blob[:])}
		if s.large[name] {
			e["lfs"] = entry{"sha256": hexSum(content), "size": len(content)}
		}
		siblings = append(siblings, e)
	}
	json.NewEncoder(w).Encode(entry{"sha": commit, "siblings": siblings})
}

// cut sends the first n bytes of what is asked for, from where it is asked for, and breaks the connection.
func (s *server) cut(w http.ResponseWriter, r *http.Request, content []byte, n int) {
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.Write(content[from:min(from+n, len(content))])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// requested returns the requests of a path's file.
func (s *server) requested(suffix string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if strings.Contains(r, suffix) {
			all = append(all, r)
		}
	}
	return all
}
