package weights

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/lever-go/lever/internal/offheap"
)

// OpenDirect opens a file for reads that bypass the page cache, as a [Streamer] does by itself. Where the file system refuses them, as
// tmpfs, some FUSE file systems and some storage of Android do, the file is read through the page cache, and what has
// been read is dropped from there: it would only displace the memory of others. The File's method Mode() IOMode says which it is.
//
// Reads whose offset, length or memory is not a multiple of 4096 bytes go through the page cache too, as do those to memory of a device that the
// system cannot read into directly.
func OpenDirect(path string) (File, error) {
	f, err := openBuffered(path)
	if err != nil {
		return nil, err
	}
	direct, err := openPastCache(path)
	if err != nil {
		return f, nil // an error that is not due to the mode comes back with the first read
	}
	if err := probe(direct); err != nil {
		return f, direct.Close()
	}
	d := &directFile{bufferedFile: f, direct: direct}
	d.works.Store(true)
	return d, nil
}

// probe tries a direct read.
func probe(f *os.File) error {
	_, err := f.ReadAt(offheap.FromHeap(alignment), 0)
	if isRefusal(err) {
		return err
	}
	return nil
}

// isRefusal reports whether err says that a file can't be read directly.
func isRefusal(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// bufferedFile reads through the page cache and leaves nothing there.
type bufferedFile struct{ *os.File }

func openBuffered(path string) (bufferedFile, error) {
	f, err := openRegular(path)
	return bufferedFile{f}, err
}

func (f bufferedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	dropCached(f.File, off, n)
	return n, err
}

// Mode returns how the file is read.
func (f bufferedFile) Mode() IOMode { return Buffered }

// directFile reads past the page cache where it can.
type directFile struct {
	bufferedFile
	direct File
	works  atomic.Bool // no direct read was refused
}

func (f *directFile) ReadAt(p []byte, off int64) (int, error) {
	if f.works.Load() && isAligned(p) && len(p)%alignment == 0 && off%alignment == 0 {
		n, err := f.direct.ReadAt(p, off)
		switch {
		case errors.Is(err, syscall.EFAULT): // this memory, such as some devices', can't be read into directly
		case !isRefusal(err):
			return n, err
		default:
			f.works.Store(false)
		}
	}
	return f.bufferedFile.ReadAt(p, off)
}

// Mode returns how aligned reads are done.
func (f *directFile) Mode() IOMode {
	if f.works.Load() {
		return Direct
	}
	return Buffered
}

func (f *directFile) Close() error { return errors.Join(f.direct.Close(), f.bufferedFile.Close()) }
