package hub

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/gguf"
)

// Repo is a revision of a repository.
type Repo struct {
	Name   string // OWNER/NAME
	Commit string
	Files  []File // in the order of their paths
}

// File is something to download.
type File struct {
	Path string // in its repository; its last element is the name that it gets
	Size int64  // -1: not known
	// Sum is what the content is checked against; the zero value: nothing.
	Sum Sum

	address string
	tag     string // of the server, which names the version; if empty, none
}

// Name returns the last element of the path.
func (f *File) Name() string { return path.Base(f.Path) }

// maxListing bounds the hub's description of a repository.
const maxListing = 16 << 20

var repoName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)

// IsRepo reports whether text has the form of a repository's name, OWNER/NAME.
func IsRepo(text string) bool { return repoName.MatchString(text) && !strings.Contains(text, "..") }

// Repo asks the hub what a revision (a branch, tag or commit) of a repository holds.
func (c *Client) Repo(ctx context.Context, name, revision string) (*Repo, error) {
	if !IsRepo(name) {
		return nil, fmt.Errorf("hub: %q is not the name of a repository, which is like Qwen/Qwen3-8B", name)
	}
	address := c.base() + "/api/models/" + name + "/revision/" + url.PathEscape(revision) + "?blobs=true"
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
			Size *int64 `json:"size"`
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	err := c.again(ctx, func() error {
		res, err := c.do(ctx, http.MethodGet, address, nil, http.StatusOK)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, maxListing+1))
		if err != nil {
			return err
		}
		if len(body) > maxListing {
			return permanent{fmt.Errorf("%s: the description has more than %d bytes", address, maxListing)}
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return permanent{fmt.Errorf("%s: %w", address, err)}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hub: list %s at %s: %w", name, revision, err)
	}
	if answer.SHA == "" {
		return nil, fmt.Errorf("hub: list %s at %s: the hub names no commit", name, revision)
	}
	r := &Repo{Name: name, Commit: answer.SHA}
	for _, s := range answer.Siblings {
		f := File{Path: s.Name, Size: -1, address: c.base() + "/" + name + "/resolve/" + url.PathEscape(answer.SHA) + "/" + escapePath(s.Name)}
		if s.Size != nil {
			f.Size = *s.Size
		}
		f.Sum = Sum{gitBlob, strings.ToLower(s.Blob)}
		if s.LFS != nil {
			f.Sum = Sum{sha256Sum, strings.ToLower(s.LFS.SHA256)}
		}
		if !f.Sum.valid() {
			return nil, fmt.Errorf("hub: list %s at %s: no checksum of %s", name, revision, s.Name)
		}
		r.Files = append(r.Files, f)
	}
	slices.SortFunc(r.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return r, nil
}

func escapePath(p string) string {
	elements := strings.Split(p, "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	return strings.Join(elements, "/")
}

// modelFiles match what a model in safetensors consists of.
var modelFiles = []string{
	"config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json",
	"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tekken.json", "*.tiktoken", "chat_template.jinja",
}

// ChoiceError says that a repository holds several GGUF models.
type ChoiceError struct {
	Repo    string
	Choices []Choice // smallest first
}

// Choice is a GGUF model of a repository.
type Choice struct {
	Pattern string // for [Repo.Match]
	Size    int64  // of its files, -1: not known
	Files   []File // one, or its parts
}

func (e *ChoiceError) Error() string {
	var names []string
	for _, c := range e.Choices {
		names = append(names, c.Pattern)
	}
	return fmt.Sprintf("hub: %s holds several GGUF files; choose one with --file: %s", e.Repo, strings.Join(names, ", "))
}

// beside match GGUF files that go with a model, such as what reads images, and are none.
var beside = []string{"*mmproj*", "*imatrix*", "*/*mmproj*", "*/*imatrix*"}

// choices returns the GGUF models among files.
func choices(files []File) (all []Choice) {
	for _, f := range files {
		if slices.ContainsFunc(beside, func(p string) bool { matches, _ := path.Match(p, f.Path); return matches }) {
			continue
		}
		parts := gguf.Parts(f.Path)
		pattern := f.Path
		if len(parts) > 1 {
			pattern = strings.TrimSuffix(path.Base(parts[0]), fmt.Sprintf("-00001-of-%05d.gguf", len(parts))) + "-*.gguf"
		}
		i := slices.IndexFunc(all, func(c Choice) bool { return c.Pattern == pattern })
		if i < 0 {
			i, all = len(all), append(all, Choice{Pattern: pattern})
		}
		c := &all[i]
		if c.Files = append(c.Files, f); f.Size < 0 || c.Size < 0 {
			c.Size = -1
			continue
		}
		c.Size += f.Size
	}
	slices.SortStableFunc(all, func(a, b Choice) int { return cmp.Compare(a.Size, b.Size) })
	return all
}

// ModelFiles returns the files of the repository's model: its safetensors and what belongs to them or, where it has none, its only GGUF model, which may be in
// parts. If there are several, the error is a [*ChoiceError].
func (r *Repo) ModelFiles() ([]File, error) {
	tensors := func(f File) bool { return strings.HasSuffix(f.Path, ".safetensors") }
	files := r.match(modelFiles)
	if slices.ContainsFunc(files, tensors) {
		return files, nil
	}
	models := choices(r.match([]string{"*.gguf", "*/*.gguf"}))
	switch len(models) {
	case 1:
		return models[0].Files, nil
	case 0:
		return nil, fmt.Errorf("hub: %s holds neither safetensors nor GGUF files", r.Name)
	}
	return nil, &ChoiceError{r.Name, models}
}

// Match returns the files whose path matches one of the patterns of [path.Match]; those in a folder can be given without it.
func (r *Repo) Match(patterns []string) ([]File, error) {
	var all []string
	for _, p := range patterns {
		all = append(all, p, "*/"+p)
		if len(r.match([]string{p, "*/" + p})) == 0 {
			return nil, fmt.Errorf("hub: %s at commit %.12s holds no file %s: %w", r.Name, r.Commit, p, ErrNotFound)
		}
	}
	return r.match(all), nil
}

func (r *Repo) match(patterns []string) (files []File) {
	for _, f := range r.Files {
		if slices.ContainsFunc(patterns, func(p string) bool { matches, _ := path.Match(p, f.Path); return matches }) {
			files = append(files, f)
		}
	}
	return files
}

// File describes the file at an address. sum is its SHA-256 in hexadecimal; if it is empty, the one that the server states, if any.
func (c *Client) File(ctx context.Context, address, sum string) (File, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return File{}, fmt.Errorf("hub: %q is no address that begins with https:// or http://", address)
	}
	f := File{Path: path.Base(u.Path), Size: -1, address: address, Sum: Sum{sha256Sum, strings.ToLower(sum)}}
	if sum != "" && !f.Sum.valid() {
		return File{}, fmt.Errorf("hub: %q is no SHA-256, which has 64 hexadecimal digits", sum)
	}
	err = c.again(ctx, func() error {
		// The hub itself answers for large files with the address of another server, and with the file's sum.
		first := *c
		client := *cmp.Or(c.HTTP, ownClient)
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		first.HTTP = &client
		res, err := first.do(ctx, http.MethodHead, address, nil, http.StatusOK, http.StatusFound, http.StatusTemporaryRedirect,
			http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusSeeOther, http.StatusMethodNotAllowed, http.StatusNotImplemented)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		f.learn(res)
		if res.StatusCode/100 != 3 || f.tag != "" {
			return nil
		}
		if res, err = c.do(ctx, http.MethodHead, address, nil, http.StatusOK, http.StatusMethodNotAllowed, http.StatusNotImplemented); err != nil {
			return err
		}
		defer res.Body.Close()
		f.learn(res)
		return nil
	})
	if err != nil {
		return File{}, fmt.Errorf("hub: %w", err)
	}
	return f, nil
}

// learn takes what a server says of the file.
func (f *File) learn(res *http.Response) {
	linked := strings.Trim(res.Header.Get("X-Linked-Etag"), `"`)
	if linked != "" {
		f.tag = linked
		fmt.Sscan(res.Header.Get("X-Linked-Size"), &f.Size)
	} else if res.StatusCode == http.StatusOK {
		f.Size = res.ContentLength
		if tag := res.Header.Get("Etag"); !strings.HasPrefix(tag, "W/") {
			f.tag = strings.Trim(tag, `"`)
		}
	}
	if s := (Sum{sha256Sum, f.tag}); f.Sum.digest == "" && s.valid() && linked != "" {
		f.Sum = s
	}
}

// Sum is a checksum. The zero value is none.
type Sum struct {
	kind   sumKind
	digest string // in hexadecimal
}

type sumKind string

const (
	sha256Sum sumKind = "SHA-256"
	gitBlob   sumKind = "git" // SHA-1 of "blob SIZE", a zero byte and the content
)

func (s Sum) valid() bool {
	want := map[sumKind]int{sha256Sum: 32, gitBlob: 20}[s.kind]
	digest, err := hex.DecodeString(s.digest)
	return err == nil && want > 0 && len(digest) == want
}

// String returns the kind and the digits; empty for none.
func (s Sum) String() string {
	if s.digest == "" {
		return ""
	}
	return string(s.kind) + " " + s.digest
}
