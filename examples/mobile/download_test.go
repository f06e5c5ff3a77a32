package mobile

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lever-go/lever/internal/demo"
)

// A download goes on where it ended, is refused where it is not what it should be, and opens.
func TestDownload(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(pair.Draft))
	var served, ranges, cut atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			ranges.Add(1)
		}
		if strings.Contains(r.URL.Path, "chunks/") && cut.Add(-1) == 0 {
			content, err := os.ReadFile(filepath.Join(pair.Draft, filepath.FromSlash(r.URL.Path)))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Length", "10000000")
			w.Write(content[:len(content)/2])
			return
		}
		served.Add(1)
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	dir := filepath.Join(t.TempDir(), "model.lever")
	cut.Store(3) // the third chunk ends half-way
	if err := NewDownloader(server.URL, dir).Download(nil); KindOf(err) != KindNetwork {
		t.Fatalf("a connection that breaks: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("half a model is where a whole one should be")
	}
	first := served.Load()
	var done, total int64
	err = NewDownloader(server.URL+"/", dir).Download(listener(func(_ string, d, n int64) {
		if d < done || d > n {
			t.Errorf("%d of %d bytes after %d", d, n, done)
		}
		done, total = d, n
	}))
	if err != nil || done != total || total == 0 || ranges.Load() != 1 {
		t.Errorf("going on: %v, %d of %d bytes, %d requests for the rest of a file", err, done, total, ranges.Load())
	}
	if again := served.Load() - first; again >= first+3 {
		t.Errorf("going on brought %d files, before %d", again, first)
	}
	e, err := NewOpener(dir, "").Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := NewDownloader("http://127.0.0.1:1", dir).Download(nil); err != nil {
		t.Errorf("what is there is brought again: %v", err)
	}
	cancelled := NewDownloader(server.URL, dir+"2")
	cancelled.Cancel()
	if err := cancelled.Download(nil); KindOf(err) != KindCancelled {
		t.Errorf("cancelled: %v", err)
	}
	if err := NewDownloader(server.URL+"/nothing", dir+"3").Download(nil); KindOf(err) != KindNetwork {
		t.Errorf("nothing there: %v", err)
	}
	for _, manifest := range []string{"", "{}", `{"chunks": [{"file": "../../evil", "size": 3}]}`, `{"chunks": [{"file": "a", "size": -3}]}`} {
		if files, err := filesOf([]byte(manifest)); err == nil {
			t.Errorf("manifest %q names %v", manifest, files)
		}
	}
}
