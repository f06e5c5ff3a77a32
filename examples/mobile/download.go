package mobile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/lever-go/lever/internal/hub"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/weights"
)

// Downloader brings a model from a web server: the files of a store, as 'lever convert' has made it, below one address.
type Downloader struct {
	url, dir string
	pause    time.Duration // before the first new try; if zero, a second
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

// maxManifest is larger than the manifests that there are, in bytes.
const maxManifest = 64 << 20

// storeFile is a file of a store, as its manifest names it.
type storeFile struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// errNetwork says that a server could not be reached, or did not send what it should.
var errNetwork = errors.New("download")

// Download brings the files to a folder beside the one that was asked for, named like it with ".part", and renames that when all are there and have the sums that
// the manifest says. A connection that breaks is taken up again. If it fails, call it again: it goes on where it ended. progress may be null.
func (d *Downloader) Download(progress OpenProgress) error {
	if d.ctx == nil { // made by Java's new without arguments
		return errClosed
	}
	if _, err := os.Stat(d.dir); err == nil {
		return nil
	}
	err := d.download(d.dir+".part", progress)
	var file *os.PathError
	switch {
	case err == nil:
		return os.Rename(d.dir+".part", d.dir)
	case d.ctx.Err() != nil:
		return d.ctx.Err()
	case errors.As(err, &file):
		return err
	}
	return fmt.Errorf("%w: %w", errNetwork, err)
}

// download brings all files to a folder.
func (d *Downloader) download(part string, progress OpenProgress) error {
	client := &hub.Client{Pause: d.pause}
	manifest, err := client.File(d.ctx, d.url+"/"+weights.ManifestName, "")
	if err == nil {
		err = client.Download(d.ctx, []hub.File{manifest}, part)
	}
	if err != nil {
		return err
	}
	text, err := regular.Read(filepath.Join(part, weights.ManifestName), maxManifest)
	if err != nil {
		return err
	}
	files, total, err := filesOf(text)
	if err != nil {
		return err
	}
	var done int64 // of the folders before
	for _, folder := range []string{".", "chunks"} {
		var some []hub.File
		var size int64
		for _, f := range files {
			if path.Dir(f.File) != folder {
				continue
			}
			file, err := hub.Known(d.url+"/"+f.File, f.Size, f.SHA256)
			if err != nil {
				return err
			}
			some, size = append(some, file), size+f.Size
		}
		client.Progress = func(p hub.Progress) {
			if progress != nil {
				progress.OnProgress("downloading "+filepath.Base(d.dir), done+p.Done, total)
			}
		}
		if err := client.Download(d.ctx, some, filepath.Join(part, folder)); err != nil {
			return err
		}
		done += size
	}
	return nil
}

// filesOf returns the files that a manifest names, and their size.
func filesOf(manifest []byte) (files []storeFile, total int64, err error) {
	var m struct {
		Tokenizer, Chunks []storeFile
	}
	if err := json.Unmarshal(manifest, &m); err != nil || len(m.Chunks) == 0 {
		return nil, 0, fmt.Errorf("%s is not that of a store", weights.ManifestName)
	}
	files = append(m.Tokenizer, m.Chunks...)
	for _, f := range files {
		if dir := path.Dir(f.File); dir != "." && dir != "chunks" || !filepath.IsLocal(f.File) || f.Size < 0 {
			return nil, 0, fmt.Errorf("%s names a file %q of %d bytes", weights.ManifestName, f.File, f.Size)
		}
		total += f.Size
	}
	return files, total, nil
}
