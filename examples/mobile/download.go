package mobile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Downloader brings a model from a web server: the files of a store, as 'lever convert' has made it, below one address.
type Downloader struct {
	url, dir string
	ctx      context.Context
	cancel   context.CancelFunc
}

// NewDownloader returns a downloader of the store at an address, such as "https://example.org/llama-8b.lever", to a folder that is not there yet.
func NewDownloader(url, dir string) *Downloader {
	d := &Downloader{url: strings.TrimSuffix(url, "/"), dir: filepath.Clean(dir)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Cancel ends Download, which then fails, from any thread. What has come stays, and a new Downloader goes on with it.
func (d *Downloader) Cancel() {
	if d.cancel != nil {
		d.cancel()
	}
}

const (
	manifestName = "lever.json"
	maxManifest  = 64 << 20 // bytes
	// stalled is how long a server may send nothing.
	stalled = time.Minute
)

// storeFile is a file of a store, as its manifest names it.
type storeFile struct {
	File string `json:"file"`
	Size int64  `json:"size"`
}

// errNetwork says that a server could not be reached, or did not send what it should.
var errNetwork = errors.New("download")

// Download brings the files to a folder beside the one that was asked for, named like it with ".part", and renames that when all are there. If it fails, call it
// again: it goes on where it ended. progress may be null. Open checks what has come.
func (d *Downloader) Download(progress OpenProgress) error {
	if d.ctx == nil { // made by Java's new without arguments
		return errClosed
	}
	if _, err := os.Stat(d.dir); err == nil {
		return nil
	}
	part := d.dir + ".part"
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	manifest, err := d.manifest()
	if err != nil {
		return err
	}
	files, err := filesOf(manifest)
	if err != nil {
		return err
	}
	// What came of another version of the model is of no use.
	if before, err := os.ReadFile(filepath.Join(part, manifestName)); err == nil && !bytes.Equal(before, manifest) {
		if err := errors.Join(os.RemoveAll(part), os.Mkdir(part, 0o755)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(part, manifestName), manifest, 0o644); err != nil {
		return err
	}
	var done, total int64
	for _, f := range files {
		total += f.Size
	}
	tell := func(n int64) {
		if done += n; progress != nil {
			progress.OnProgress("downloading "+filepath.Base(d.dir), done, total)
		}
	}
	for _, f := range files {
		if err := d.file(part, f, tell); err != nil {
			return err
		}
	}
	return os.Rename(part, d.dir)
}

// filesOf returns the files that a manifest names.
func filesOf(manifest []byte) ([]storeFile, error) {
	var m struct {
		Tokenizer, Chunks []storeFile
	}
	if err := json.Unmarshal(manifest, &m); err != nil || len(m.Chunks) == 0 {
		return nil, fmt.Errorf("%w: %s is not that of a store", errNetwork, manifestName)
	}
	files := append(m.Tokenizer, m.Chunks...)
	for _, f := range files {
		if !filepath.IsLocal(f.File) || f.Size < 0 {
			return nil, fmt.Errorf("%w: %s names a file %q of %d bytes", errNetwork, manifestName, f.File, f.Size)
		}
	}
	return files, nil
}

func (d *Downloader) manifest() ([]byte, error) {
	var all bytes.Buffer
	err := d.get(manifestName, 0, func(body io.Reader, _ bool) error {
		_, err := all.ReadFrom(io.LimitReader(body, maxManifest))
		return err
	})
	return all.Bytes(), err
}

// file brings what is missing of a file, and tells how many bytes are there.
func (d *Downloader) file(dir string, f storeFile, tell func(n int64)) (err error) {
	path := filepath.Join(dir, filepath.FromSlash(f.File))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	at, err := out.Seek(0, io.SeekEnd)
	if err == nil && at > f.Size {
		at, err = 0, out.Truncate(0)
	}
	if err != nil {
		return err
	}
	if tell(at); at == f.Size {
		return nil
	}
	return d.get(f.File, at, func(body io.Reader, whole bool) error {
		if whole { // the server does not know ranges
			tell(-at)
			at = 0
		}
		if _, err := out.Seek(at, io.SeekStart); err != nil {
			return err
		}
		n, err := io.Copy(out, io.TeeReader(io.LimitReader(body, f.Size-at), counter(tell)))
		if err == nil && at+n < f.Size {
			err = fmt.Errorf("%w: %s ends after %d of %d bytes", errNetwork, f.File, at+n, f.Size)
		}
		return err
	})
}

// counter tells of bytes that are written to it.
type counter func(n int64)

func (c counter) Write(p []byte) (int, error) {
	c(int64(len(p)))
	return len(p), nil
}

// get asks the server for a file from a byte on, and has read take what it sends, which is the whole file where the server does not know ranges.
func (d *Downloader) get(name string, from int64, read func(body io.Reader, whole bool) error) error {
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	silent := time.AfterFunc(stalled, cancel)
	defer silent.Stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/"+name, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errNetwork, err)
	}
	if from > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		defer response.Body.Close()
		switch response.StatusCode {
		case http.StatusOK, http.StatusPartialContent:
			err = read(io.TeeReader(response.Body, counter(func(int64) { silent.Reset(stalled) })), from > 0 && response.StatusCode == http.StatusOK)
		default:
			err = fmt.Errorf("%w: %s: %s", errNetwork, r.URL, response.Status)
		}
	}
	var file *os.PathError
	switch {
	case err == nil, errors.Is(err, errNetwork), errors.As(err, &file):
		return err
	case d.ctx.Err() != nil:
		return d.ctx.Err()
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s sent nothing for %v", errNetwork, r.URL.Host, stalled)
	}
	return fmt.Errorf("%w: %w", errNetwork, err)
}
