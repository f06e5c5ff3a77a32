package hub

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/internal/publish"
	"github.com/minio/sha256-simd"
)

// permanent marks an error that another try would not change.
type permanent struct{ error }

func (e permanent) Unwrap() error { return e.error }

// again calls f until it succeeds, fails for good, or has failed too often.
func (c *Client) again(ctx context.Context, f func() error) error {
	return c.againWhile(ctx, func() (bool, error) { return false, f() })
}

// againWhile is again for an f that says whether it has got any further: then its failures are counted anew.
func (c *Client) againWhile(ctx context.Context, f func() (further bool, err error)) error {
	pause := c.pause()
	for failed := 0; ; {
		further, err := f()
		if further {
			failed, pause = 0, c.pause()
		}
		failed++
		var final permanent
		var status *statusError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final), errors.As(err, &status) && !status.passing():
			return err
		case failed == tries:
			return fmt.Errorf("%w (after %s)", err, plural.Of(tries, "try"))
		}
		delay := pause
		if status != nil {
			delay = max(delay, status.after)
		}
		if c.Failed != nil {
			c.Failed(err)
		}
		if err := wait(ctx, delay); err != nil {
			return err
		}
		pause *= 2
	}
}

// Download puts the files into dir, which it makes. Those that are there and right are left alone. After an error, or when ctx is done, what
// has arrived stays, and another Download goes on from there. A sum that is wrong twice gives an error that wraps [ErrChecksum].
func (c *Client) Download(ctx context.Context, files []File, dir string) error {
	d := &download{Client: c, dir: dir}
	names := map[string]string{}
	for _, f := range files {
		name := f.Name()
		if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) || name == "." {
			return fmt.Errorf("hub: %q is not a name that a file can be given here", f.Path)
		}
		if other, taken := names[name]; taken {
			return fmt.Errorf("hub: %s and %s would both become %s", other, f.Path, name)
		}
		names[name] = f.Path
		if f.Size < 0 || d.total < 0 {
			d.total = -1
		} else {
			d.total += f.Size
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	for _, last := range []bool{false, true} {
		for _, f := range files {
			if (f.Name() == "config.json") != last {
				continue
			}
			if err := d.file(ctx, f); err != nil {
				return fmt.Errorf("hub: download %s: %w", f.Path, err)
			}
		}
	}
	return nil
}

// download is a Download on its way.
type download struct {
	*Client
	dir         string
	done, total int64
}

func (d *download) report(f *File, done int64) {
	if d.Progress != nil {
		d.Progress(Progress{File: f.Name(), Done: d.done + done, Total: max(d.total, 0)})
	}
}

// file downloads a file, unless it is there.
func (d *download) file(ctx context.Context, f File) error {
	final := filepath.Join(d.dir, f.Name())
	if info, err := os.Stat(final); err == nil && f.Sum.digest != "" && (f.Size < 0 || info.Size() == f.Size) && f.verify(ctx, final) == nil {
		d.done += info.Size()
		d.report(&f, 0)
		d.removeOtherVersions(&f)
		return nil
	}
	part := filepath.Join(d.dir, "."+f.Name()+f.version()+".part")
	for again := false; ; again = true {
		if err := d.fetch(ctx, &f, part); err != nil {
			return err
		}
		err := f.verify(ctx, part)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := os.Remove(part); err != nil {
			return err
		}
		if again {
			return err
		}
	}
	info, err := os.Stat(part)
	if err != nil {
		return err
	}
	d.done += info.Size()
	if err := os.Rename(part, final); err != nil {
		return err
	}
	d.removeOtherVersions(&f)
	return nil
}

// removeOtherVersions removes what arrived of other versions of a file, or of this one before somebody else completed it.
func (d *download) removeOtherVersions(f *File) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), "."+f.Name())
		version, isPart := strings.CutSuffix(rest, ".part")
		if !ours || !isPart || !partVersion.MatchString(version) {
			continue
		}
		path := filepath.Join(d.dir, e.Name())
		part, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if !errors.Is(publish.TryLock(part), publish.ErrLocked) { // nobody is downloading it
			_ = os.Remove(path)
		}
		part.Close()
	}
}

// partVersion is what version returns.
var partVersion = regexp.MustCompile(`^(\.[0-9a-f]{8})?$`)

// version is a part of the name of what has arrived, by which other versions are told apart.
func (f *File) version() string {
	text := f.Sum.digest + f.tag
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return "." + hex.EncodeToString(sum[:4])
}

// fetch completes part.
func (d *download) fetch(ctx context.Context, f *File, part string) (err error) {
	file, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := publish.TryLock(file); errors.Is(err, publish.ErrLocked) {
		return fmt.Errorf("%s is being downloaded by another process", f.Name())
	}
	has, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if f.version() == "" || f.Size >= 0 && has > f.Size {
		has = 0 // of no version that is known, or of another one
	}
	err = d.againWhile(ctx, func() (bool, error) {
		if f.Size >= 0 && has == f.Size {
			return false, nil
		}
		before := has
		err := d.resume(ctx, f, file, &has)
		return has > before, err
	})
	if err != nil {
		return err
	}
	return file.Sync()
}

// resume asks for what comes after the first has bytes, and appends what arrives.
func (d *download) resume(ctx context.Context, f *File, file *os.File, has *int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	header := http.Header{}
	if *has > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", *has))
	}
	res, err := d.do(ctx, http.MethodGet, f.address, header, http.StatusOK, http.StatusPartialContent)
	var status *statusError
	if errors.As(err, &status) && status.status == http.StatusRequestedRangeNotSatisfiable {
		*has = 0
		return errors.New("the server has fewer bytes than arrived before")
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var from, to int64
	if res.StatusCode == http.StatusPartialContent {
		if _, err := fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-%d/", &from, &to); err != nil || from != *has {
			return fmt.Errorf("the server sent the range %q, not the one from byte %d", res.Header.Get("Content-Range"), *has)
		}
	} else {
		*has = 0 // the whole file
	}
	if err := file.Truncate(*has); err != nil {
		return permanent{err}
	}
	if _, err := file.Seek(*has, io.SeekStart); err != nil {
		return permanent{err}
	}
	stalled := fmt.Errorf("no bytes for %v", d.stall())
	watch := time.AfterFunc(d.stall(), func() { cancel(stalled) })
	defer watch.Stop()
	buffer := make([]byte, 1<<20)
	for {
		n, err := res.Body.Read(buffer)
		watch.Reset(d.stall())
		if f.Size >= 0 && *has+int64(n) > f.Size {
			return permanent{fmt.Errorf("the server sends more than the %d bytes that it announced", f.Size)}
		}
		if _, err := file.Write(buffer[:n]); err != nil {
			return permanent{err}
		}
		*has += int64(n)
		d.report(f, *has)
		switch {
		case err == io.EOF && f.Size >= 0 && *has < f.Size:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil && context.Cause(ctx) == stalled:
			return stalled
		case err != nil:
			return err
		}
	}
}

// verify checks the content of a file against the sum, if there is one.
func (f *File) verify(ctx context.Context, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", name, fs.ErrInvalid)
	}
	var digest hash.Hash
	switch {
	case f.Sum.digest == "":
		return nil
	case f.Sum.kind == gitBlob:
		digest = sha1.New()
		fmt.Fprintf(digest, "blob %d\x00", info.Size())
	default:
		digest = sha256.New()
	}
	buffer := make([]byte, 1<<20)
	for err == nil {
		var n int
		n, err = file.Read(buffer)
		digest.Write(buffer[:n])
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err != io.EOF {
		return err
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != f.Sum.digest {
		return fmt.Errorf("%w: %s has %s %s, not %s", ErrChecksum, f.Name(), f.Sum.kind, got, f.Sum.digest)
	}
	return nil
}
