package hub

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/publish"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		ownClient.CloseIdleConnections()
		os.Exit(code)
	}))
}

// model is a repository's content, with things that are none of the model's.
var model = map[string]string{
	"config.json":                `{"a":1}`,
	"tokenizer.json":             strings.Repeat("tokens ", 1000),
	"model.safetensors":          strings.Repeat("weights", 50_000),
	"README.md":                  "not needed",
	"original/model.safetensors": "the same again",
	"pytorch_model.bin":          "nor this",
}

func list(t *testing.T, c *Client) []File {
	t.Helper()
	repo, err := c.Repo(t.Context(), "OWNER/model", "main")
	if err != nil {
		t.Fatal(err)
	}
	files, err := repo.ModelFiles()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// check compares the files in a folder, hidden ones included, with the wanted ones of a server.
func check(t *testing.T, dir string, s *server, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
	for _, name := range want {
		if content, _ := os.ReadFile(filepath.Join(dir, name)); string(content) != string(s.files[name]) {
			t.Errorf("%s has %d bytes that are not the server's", name, len(content))
		}
	}
}

func TestDownloadModel(t *testing.T) {
	s := newServer(t, model, "model.safetensors")
	c := s.client()
	var last Progress
	c.Progress = func(p Progress) {
		if p.Done < last.Done || p.Done > p.Total {
			t.Errorf("progress went from %v to %v", last, p)
		}
		last = p
	}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if err := c.Download(t.Context(), list(t, c), dir); err != nil {
		t.Fatal(err)
	}
	check(t, dir, s, "config.json", "tokenizer.json", "model.safetensors")
	if last.Total != int64(len(model["config.json"])+len(model["tokenizer.json"])+len(model["model.safetensors"])) || last.Done != last.Total {
		t.Errorf("progress ended at %v", last)
	}
	if r := s.requested("resolve"); !strings.Contains(r[len(r)-1], "config.json") {
		t.Errorf("config.json, without which a folder is no model, did not come last: %q", r)
	}

	// What is there is not asked for again; what has changed is.
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	last = Progress{}
	before := len(s.requested("resolve"))
	if err := c.Download(t.Context(), list(t, c), dir); err != nil {
		t.Fatal(err)
	}
	check(t, dir, s, "config.json", "tokenizer.json", "model.safetensors")
	if r := s.requested("resolve")[before:]; len(r) != 1 || !strings.Contains(r[0], "tokenizer.json") {
		t.Errorf("asked for %q", r)
	}
}

// A connection that breaks again and again brings the whole file in pieces, none of them twice.
func TestDownloadResumesWithinACall(t *testing.T) {
	s := newServer(t, model, "model.safetensors")
	content := s.files["model.safetensors"]
	s.answer = func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if strings.HasSuffix(r.URL.Path, "model.safetensors") && asked < 12 {
			s.cut(w, r, content, 30_000)
		}
		return false
	}
	dir := t.TempDir()
	c := s.client()
	if err := c.Download(t.Context(), list(t, c), dir); err != nil {
		t.Fatal(err)
	}
	check(t, dir, s, "config.json", "tokenizer.json", "model.safetensors")
	if r := s.requested("model.safetensors"); len(r) != 12 || !strings.HasSuffix(r[1], "bytes=30000-") {
		t.Errorf("asked for %q", r)
	}
}

// What an interrupted call leaves is continued by the next, and no model until then.
func TestDownloadResumesAfterACall(t *testing.T) {
	s := newServer(t, model, "model.safetensors")
	content := s.files["model.safetensors"]
	ctx, cancel := context.WithCancel(t.Context())
	s.answer = func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if strings.HasSuffix(r.URL.Path, "model.safetensors") {
			w.Header().Set("Content-Length", "350000")
			w.Write(content[:100_000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	}
	dir := t.TempDir()
	c := s.client()
	files := list(t, c)
	c.Progress = func(p Progress) {
		if p.File == "model.safetensors" && p.Done >= 100_000 {
			cancel()
		}
	}
	if err := c.Download(ctx, files, dir); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an interrupted download left a config.json")
	}
	s.answer = nil
	if err := s.client().Download(t.Context(), files, dir); err != nil {
		t.Fatal(err)
	}
	check(t, dir, s, "config.json", "tokenizer.json", "model.safetensors")
	if r := s.requested("model.safetensors"); !strings.HasSuffix(r[len(r)-1], "bytes=100000-") {
		t.Errorf("did not go on at byte 100000: %q", r)
	}
}

func TestDownloadStalled(t *testing.T) {
	s := newServer(t, map[string]string{"model.safetensors": "0123456789", "config.json": "{}"}, "model.safetensors")
	s.answer = func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if strings.HasSuffix(r.URL.Path, "model.safetensors") && asked == 1 {
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("0123"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	}
	c := s.client()
	c.Stall = 50 * time.Millisecond
	dir := t.TempDir()
	if err := c.Download(t.Context(), list(t, c), dir); err != nil {
		t.Fatal(err)
	}
	check(t, dir, s, "config.json", "model.safetensors")
}

// Wrong content is asked for once more, whole, and then refused; it never gets its name.
func TestDownloadChecksums(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong int // answers
		want  error
	}{{"once", 1, nil}, {"twice", 2, ErrChecksum}} {
		for _, file := range []string{"model.safetensors", "tokenizer.json"} { // SHA-256, git
			t.Run(c.name+"/"+file, func(t *testing.T) {
				s := newServer(t, model, "model.safetensors")
				s.answer = func(w http.ResponseWriter, r *http.Request, asked int) bool {
					if !strings.HasSuffix(r.URL.Path, file) || asked > c.wrong {
						return false
					}
					bad := slices.Clone(s.files[file])
					bad[len(bad)/2] ^= 1
					w.Write(bad)
					return true
				}
				dir := t.TempDir()
				client := s.client()
				err := client.Download(t.Context(), list(t, client), dir)
				if !errors.Is(err, c.want) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				if c.want != nil {
					if _, err := os.Stat(filepath.Join(dir, file)); !errors.Is(err, fs.ErrNotExist) {
						t.Error("a file of the wrong content has its name")
					}
					if !strings.Contains(err.Error(), file) {
						t.Errorf("the error does not name the file: %v", err)
					}
				}
			})
		}
	}
}

func TestDownloadFromOddServers(t *testing.T) {
	whole := func(s *server) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, asked int) bool {
			if !strings.HasSuffix(r.URL.Path, "model.safetensors") {
				return false
			}
			if asked == 1 {
				s.cut(w, r, s.files["model.safetensors"], 1000)
			}
			w.Write(s.files["model.safetensors"]) // whatever range is asked for
			return true
		}
	}
	fail := func(status int, times int) func(*server) func(http.ResponseWriter, *http.Request, int) bool {
		return func(*server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked > times || !strings.HasSuffix(r.URL.Path, "model.safetensors") {
					return false
				}
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(status)
				return true
			}
		}
	}
	long := func(s *server) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.HasSuffix(r.URL.Path, "model.safetensors") {
				return false
			}
			w.Write(s.files["model.safetensors"])
			w.Write([]byte("and more"))
			return true
		}
	}
	for _, c := range []struct {
		name   string
		answer func(*server) func(http.ResponseWriter, *http.Request, int) bool
		failed int    // tries after which there is another
		want   string // in the error; if empty, none
		is     error
	}{
		{"without ranges", whole, 1, "", nil},
		{"busy", fail(http.StatusTooManyRequests, 3), 3, "", nil},
		{"broken for a while", fail(http.StatusBadGateway, 4), 4, "", nil},
		{"broken", fail(http.StatusBadGateway, 1000), 4, "502 Bad Gateway (after 5 tries)", nil},
		{"gated", fail(http.StatusForbidden, 1000), 0, "set HF_TOKEN", ErrDenied},
		{"gone", fail(http.StatusNotFound, 1000), 0, "404", ErrNotFound},
		{"too long", long, 0, "more than the 350000 bytes", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, model, "model.safetensors")
			s.answer = c.answer(s)
			dir := t.TempDir()
			client := s.client()
			failed := 0
			client.Failed = func(error) { failed++ }
			err := client.Download(t.Context(), list(t, client), dir)
			if failed != c.failed {
				t.Errorf("told of %d failures, want %d", failed, c.failed)
			}
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				check(t, dir, s, "config.json", "tokenizer.json", "model.safetensors")
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestFile(t *testing.T) {
	s := newServer(t, map[string]string{"model.gguf": strings.Repeat("GGUF", 1000)})
	address := s.URL + "/files/model.gguf"
	right := hexSum(s.files["model.gguf"])
	c := s.client()
	for _, sum := range []string{"", right, strings.ToUpper(right)} {
		f, err := c.File(t.Context(), address, sum)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := c.Download(t.Context(), []File{f}, dir); err != nil {
			t.Fatal(err)
		}
		check(t, dir, s, "model.gguf")
	}
	f, err := c.File(t.Context(), address, strings.Repeat("0", 64))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Download(t.Context(), []File{f}, t.TempDir()); !errors.Is(err, ErrChecksum) {
		t.Errorf("a wrong sum: %v", err)
	}
	if _, err := c.File(t.Context(), s.URL+"/files/none", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such file: %v", err)
	}
	for _, bad := range []string{"", "model.gguf", "ftp://host/file", "https://"} {
		if _, err := c.File(t.Context(), bad, ""); err == nil {
			t.Errorf("address %q: no error", bad)
		}
	}
	if _, err := c.File(t.Context(), address, "abc"); err == nil {
		t.Error("sum abc: no error")
	}
}

// Pieces of two versions of a file without a known sum are never put together.
func TestFileThatChanges(t *testing.T) {
	s := newServer(t, map[string]string{"model.gguf": strings.Repeat("old ", 1000)})
	dir, c := t.TempDir(), s.client()
	get := func() error {
		f, err := c.File(t.Context(), s.URL+"/files/model.gguf", "")
		if err != nil {
			t.Fatal(err)
		}
		return c.Download(t.Context(), []File{f}, dir)
	}
	s.answer = func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if r.Method == http.MethodGet {
			s.cut(w, r, s.files["model.gguf"], 1500/asked/asked) // 375 bytes after the question for the file's size, then fewer and none
		}
		return false
	}
	if err := get(); err == nil {
		t.Fatal("a server that always breaks off gave a file")
	}
	s.answer = nil
	s.files["model.gguf"] = []byte(strings.Repeat("new!", 1000))
	if err := get(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "model.gguf")); string(got) != string(s.files["model.gguf"]) {
		t.Errorf("got %d bytes that mix two versions", len(got))
	}
}

// The token goes to the hub, and to nobody that the hub sends the client on to.
func TestToken(t *testing.T) {
	other := newServer(t, map[string]string{"model.safetensors": "weights"})
	s := newServer(t, map[string]string{"model.safetensors": "weights", "config.json": "{}"}, "model.safetensors")
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if strings.HasSuffix(r.URL.Path, "model.safetensors") {
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/files/model.safetensors", http.StatusFound)
			return true
		}
		return false
	}
	c := s.client()
	c.Token = "secret"
	if err := c.Download(t.Context(), list(t, c), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, token := range s.tokens {
		if token != "Bearer secret" {
			t.Errorf("the hub got %q", token)
		}
	}
	if len(other.tokens) == 0 || slices.Contains(other.tokens, "Bearer secret") {
		t.Errorf("another server got %q", other.tokens)
	}
	open := &Client{Base: "http://hub.example", Token: "secret"}
	req, _ := http.NewRequest(http.MethodGet, "http://hub.example/x", nil)
	if open.mayAuthorize(req.URL) {
		t.Error("the token would be sent in the clear")
	}
}

func TestRepoErrors(t *testing.T) {
	s := newServer(t, map[string]string{"a.gguf": "1", "b.gguf": "2"})
	c := s.client()
	repo, err := c.Repo(t.Context(), "OWNER/model", "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.ModelFiles(); err == nil || !strings.Contains(err.Error(), "a.gguf, b.gguf") {
		t.Errorf("a choice of files: %v", err)
	}
	if files, err := repo.Match([]string{"b*"}); err != nil || len(files) != 1 {
		t.Errorf("b*: %v, %v", files, err)
	}
	if _, err := repo.Match([]string{"c*"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("c*: %v", err)
	}
	if _, err := c.Repo(t.Context(), "OWNER/none", "main"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such repository: %v", err)
	}
	for _, name := range []string{"", "a/b/c", "../x", "a b", "a/..", "http://x/y"} {
		if _, err := c.Repo(t.Context(), name, "main"); err == nil {
			t.Errorf("%q was taken for a repository", name)
		}
	}
	for _, body := range []string{"", "[]", `{"siblings":[]}`, `{"sha":"x","siblings":[{"rfilename":"f"}]}`, `{"sha":"x","siblings":[{"rfilename":"f","lfs":{"sha256":"12"}}]}`} {
		s.answer = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Write([]byte(body))
			return true
		}
		if _, err := c.Repo(t.Context(), "OWNER/model", "main"); err == nil {
			t.Errorf("listing %q: no error", body)
		}
	}
	for _, path := range []string{"..", "x/..", ".", "", `a\b`} {
		if err := c.Download(t.Context(), []File{{Path: path}}, t.TempDir()); err == nil {
			t.Errorf("path %q: no error", path)
		}
	}
}

// What earlier downloads left of other versions goes when the file is there; what another process is downloading stays, and is not written to.
func TestDownloadLeavesNoParts(t *testing.T) {
	s := newServer(t, model, "model.safetensors")
	dir := t.TempDir()
	others := []string{".model.safetensors.part", ".model.safetensors.0123abcd.part", ".config.json.0123abcd.part"}
	kept := []string{".model.safetensors.v2.part", "model.safetensors.part", ".other.0123abcd.part"}
	for _, name := range slices.Concat(others, kept) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := s.client()
	files := list(t, c)
	if err := c.Download(t.Context(), files, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}

	f := files[0]
	if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
		t.Fatal(err)
	}
	part, err := os.Create(filepath.Join(dir, "."+f.Name()+f.version()+".part"))
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if err := publish.TryLock(part); err != nil {
		t.Skipf("skipped: needs file locks: %v", err)
	}
	if err := c.Download(t.Context(), files, dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two at once: %v", err)
	}
}
