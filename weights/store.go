package weights

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/lever-go/lever/internal/regular"
)

// Store is an opened store: a manifest that has been checked, and files that fit it. It holds no files open and is safe for concurrent
// use; its weights are read through a [Resident] or a [Streamer].
type Store struct {
	dir      string
	manifest *manifest
	openFile func(path string) (File, error) // if nil, the reader chooses
	files    []fs.FileInfo                   // of the chunks, when the store was opened
}

// OpenOptions says how a store is opened. The zero value is usable.
type OpenOptions struct {
	// Progress, if not nil, is called with the bytes hashed when the store is opened for the first time. Calls do not overlap.
	Progress func(Progress)
	// OpenFile opens a chunk by its path; nil means [OpenDirect] for a [Streamer] and os.Open for others.
	OpenFile func(path string) (File, error)
}

// Open opens the store dir. It checks the manifest, the sizes of all files, the tokenizer's files, and, when the store is
// opened for the first time or a chunk has changed, the SHA-256 of every chunk. Success is noted in a file of the store, where
// that can be written, so that opening it again is fast.
//
// Errors wrap [ErrVersion], [ErrCorrupt], [ErrTruncated], [io/fs.ErrNotExist], or the error of ctx.
func Open(ctx context.Context, dir string, opts OpenOptions) (*Store, error) {
	m, text, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, manifest: m, openFile: opts.OpenFile}
	if err := s.checkSizes(); err != nil {
		return nil, err
	}
	if err := s.checkTokenizer(); err != nil {
		return nil, err
	}
	state, err := s.state(text)
	if err != nil {
		return nil, err
	}
	if s.isVerified(state) {
		return s, nil
	}
	if err := s.checkChunks(ctx, &meter{report: opts.Progress, total: m.bytes()}); err != nil {
		return nil, err
	}
	s.noteVerified(state)
	return s, nil
}

// Dir returns the folder of the store.
func (s *Store) Dir() string { return s.dir }

// Config returns the model's configuration in the vocabulary of Hugging Face's config.json.
func (s *Store) Config() []byte { return slices.Clone(s.manifest.Config) }

// Bytes returns the size of all weights as they are stored and as a [Resident] holds them.
func (s *Store) Bytes() int64 { return s.manifest.bytes() }

// FS returns the tokenizer's files. It holds no others.
func (s *Store) FS() fs.FS { return tokenizerFS{os.DirFS(s.dir), s.manifest.Tokenizer} }

func (s *Store) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// checkSizes checks that every chunk is there with its size, and remembers which files they are.
func (s *Store) checkSizes() error {
	s.files = nil
	for i, c := range s.manifest.Chunks {
		bad := func(err error) error { return s.chunkError("open", i, -1, err) }
		info, err := os.Stat(s.path(c.File))
		switch {
		case err != nil:
			return bad(err)
		case !info.Mode().IsRegular():
			return bad(irregular(regular.ErrNoFile))
		case info.Size() < c.Size:
			return bad(fmt.Errorf("%d of %d bytes: %w", info.Size(), c.Size, ErrTruncated))
		case info.Size() > c.Size:
			return bad(corrupt("has more than its %d bytes", c.Size))
		}
		s.files = append(s.files, info)
	}
	return nil
}

// checkFile reports when the file of a chunk is no longer the one that the store was opened with.
func (s *Store) checkFile(chunk int) error {
	c := s.manifest.Chunks[chunk]
	info, err := os.Stat(s.path(c.File))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the file was deleted: %w", ErrReplaced)
	case err != nil:
		return err
	case !os.SameFile(info, s.files[chunk]):
		return fmt.Errorf("there is another file now: %w", ErrReplaced)
	case info.Size() < c.Size:
		return fmt.Errorf("%d of %d bytes are left: %w", info.Size(), c.Size, ErrTruncated)
	}
	return nil
}

// openChunks opens all chunks by open, unless the store was opened with a function for that.
func (s *Store) openChunks(open func(path string) (File, error)) ([]File, error) {
	var files []File
	for i, c := range s.manifest.Chunks {
		f, err := s.opener(open)(s.path(c.File))
		if err == nil {
			files = append(files, f)
			err = s.checkFile(i)
		}
		if err != nil {
			return nil, errors.Join(s.chunkError("open", i, -1, err), closeAll(files))
		}
	}
	return files, nil
}

func (s *Store) opener(usual func(path string) (File, error)) func(path string) (File, error) {
	if s.openFile != nil {
		return s.openFile
	}
	return usual
}

func closeAll(files []File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// chunkError says where in the store err happened; nil stays nil.
func (s *Store) chunkError(op string, chunk, segment int, err error) error {
	if err == nil {
		return nil
	}
	c := s.manifest.Chunks[chunk]
	e := &ChunkError{Op: op, File: s.path(c.File), Chunk: chunk, Segment: segment, Err: err}
	if segment >= 0 {
		e.Offset = c.Segments[segment].Offset
	}
	return e
}

// readSegment reads and checks a segment into buf, which has its size.
func (s *Store) readSegment(f File, chunk, segment int, buf []byte) error {
	e := s.manifest.Chunks[chunk].Segments[segment]
	return s.chunkError("read", chunk, segment, readChecked(f, buf, e.Offset, e.CRC32C))
}

// unknownTensor is the error of a request for a tensor that the store lacks.
func (s *Store) unknownTensor(name string) error {
	return fmt.Errorf("weights: %s: no tensor %q: %w", s.path(ManifestName), name, ErrCorrupt)
}
