package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrNoRanges is wrapped by errors of a [Remote] whose server gives files in one piece only, or without their size.
var ErrNoRanges = errors.New("the server gives no parts of files")

// remoteWindow is how many bytes a [Remote] asks for at a time.
const remoteWindow = 2 << 20

// Remote reads parts of a file without downloading it. It is not safe for concurrent use.
type Remote struct {
	client *Client
	ctx    context.Context // of all reads, as [io.ReaderAt] takes none
	file   File
	window []byte // read last
	from   int64  // of window in the file
	err    error
}

// Remote returns a reader of parts of f, until ctx is done. Its ReadAt is meant for a few reads near each other, such as those of a header.
func (c *Client) Remote(ctx context.Context, f File) (*Remote, error) {
	if f.Size < 0 {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, ErrNoRanges)
	}
	return &Remote{client: c, ctx: ctx, file: f}, nil
}

// Size returns the size of the file.
func (r *Remote) Size() int64 { return r.file.Size }

// Err returns the last error of reading from the server, to tell it from those of a file's content.
func (r *Remote) Err() error { return r.err }

// ReadAt implements [io.ReaderAt].
func (r *Remote) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) {
		at := offset + int64(n)
		if at >= r.file.Size {
			return n, io.EOF
		}
		if at < r.from || at >= r.from+int64(len(r.window)) {
			err := r.client.again(r.ctx, func() error { return r.load(at) })
			if err != nil {
				r.err = fmt.Errorf("hub: read a part of %s: %w", r.file.Path, err)
				return n, r.err
			}
		}
		n += copy(p[n:], r.window[at-r.from:])
	}
	return n, nil
}

// load reads the window that begins at an offset within the file.
func (r *Remote) load(from int64) error {
	to := min(from+remoteWindow, r.file.Size)
	ctx, cancel := context.WithTimeout(r.ctx, 4*r.client.stall())
	defer cancel()
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, to-1)}}
	res, err := r.client.do(ctx, http.MethodGet, r.file.address, header, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusPartialContent {
		return permanent{ErrNoRanges}
	}
	window := make([]byte, to-from)
	if _, err := io.ReadFull(res.Body, window); err != nil {
		return err
	}
	r.window, r.from = window, from
	return nil
}
