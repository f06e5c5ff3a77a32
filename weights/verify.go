package weights

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/minio/sha256-simd"
	"golang.org/x/sync/errgroup"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/internal/regular"
)

// verifiedName is the file in which [Open] notes that all chunks have their SHA-256.
const verifiedName = "verified.json"

// Verify reads the whole store dir, predictors included, and checks every checksum. The error joins those of all chunks that are not as they
// were written. progress, if not nil, is called with the bytes read. Calls do not overlap.
func Verify(ctx context.Context, dir string, progress func(Progress)) error {
	m, _, err := readManifest(dir)
	if err != nil {
		return err
	}
	s := &Store{dir: dir, manifest: m}
	_, badPredictor := s.Predictors()
	return errors.Join(badPredictor, s.checkTokenizer(), s.checkChunks(ctx, &meter{report: progress, total: m.bytes()}))
}

// checkTokenizer checks the tokenizer's files.
func (s *Store) checkTokenizer() error {
	for _, want := range s.manifest.Tokenizer {
		path := s.path(want.File)
		f, err := openRegular(path)
		if err != nil {
			return fmt.Errorf("weights: %w", err)
		}
		sum := sha256.New()
		n, err := io.Copy(sum, io.LimitReader(f, want.Size+1))
		f.Close()
		switch {
		case err != nil:
			return fmt.Errorf("weights: %w", err)
		case n < want.Size:
			return &FileError{path, fmt.Errorf("%d of %d bytes: %w", n, want.Size, ErrTruncated)}
		case n > want.Size || hex.EncodeToString(sum.Sum(nil)) != want.SHA256:
			return &FileError{path, corrupt("is not the file that was stored")}
		}
	}
	return nil
}

// checkChunks checks the content of all chunks, several at a time.
func (s *Store) checkChunks(ctx context.Context, progress *meter) error {
	errs := make([]error, len(s.manifest.Chunks))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range s.manifest.Chunks {
		group.Go(func() error {
			errs[i] = carry(func() error { return s.checkChunk(ctx, i, progress) })
			return nil
		})
	}
	group.Wait() // the errors are in errs
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("weights: check %s: %w", s.dir, err)
	}
	return errors.Join(errs...)
}

// checkChunk checks the size of a chunk, the CRC-32C of its segments and its SHA-256.
func (s *Store) checkChunk(ctx context.Context, chunk int, progress *meter) error {
	c := s.manifest.Chunks[chunk]
	f, err := s.opener(openFile)(s.path(c.File))
	if err != nil {
		return s.chunkError("open", chunk, -1, err)
	}
	defer f.Close()
	sum := sha256.New()
	buf := make([]byte, slices.MaxFunc(c.Segments, func(a, b segmentEntry) int { return a.Size - b.Size }).Size)
	for i, e := range c.Segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		segment := buf[:e.Size]
		if err := s.readSegment(f, chunk, i, segment); err != nil {
			return err
		}
		sum.Write(segment)
		progress.add(c.File, int64(e.Size))
	}
	if n, _ := f.ReadAt(buf[:1], c.Size); n > 0 {
		return s.chunkError("check", chunk, -1, corrupt("has more than its %d bytes", c.Size))
	}
	if hex.EncodeToString(sum.Sum(nil)) != c.SHA256 {
		return s.chunkError("check", chunk, -1, corrupt("sha-256 differs"))
	}
	return nil
}

// storeState identifies the content of a store without reading it all.
type storeState struct {
	Manifest string       `json:"manifest_sha256"`
	Chunks   []chunkState `json:"chunks"`
}

type chunkState struct {
	Size     int64 `json:"size"`
	Modified int64 `json:"modified_ns"`
}

func (s *Store) state(manifestText []byte) (storeState, error) {
	sum := sha256.Sum256(manifestText)
	state := storeState{Manifest: hex.EncodeToString(sum[:])}
	for i, c := range s.manifest.Chunks {
		info, err := os.Stat(s.path(c.File))
		if err != nil {
			return state, s.chunkError("open", i, -1, err)
		}
		state.Chunks = append(state.Chunks, chunkState{info.Size(), info.ModTime().UnixNano()})
	}
	return state, nil
}

// isVerified reports whether the store was found good in this state before. A note that cannot be read is no note.
func (s *Store) isVerified(state storeState) bool {
	raw, err := regular.Read(filepath.Join(s.dir, verifiedName), maxManifest)
	var noted storeState
	return err == nil && json.Unmarshal(raw, &noted) == nil && noted.Manifest == state.Manifest && slices.Equal(noted.Chunks, state.Chunks)
}

// noteVerified remembers that the store is good in this state. In a store that cannot be written, every opening checks again.
func (s *Store) noteVerified(state storeState) {
	if raw, err := json.Marshal(state); err == nil {
		_ = publish.WriteFile(filepath.Join(s.dir, verifiedName), raw, 0o666)
	}
}

// forgetVerified has the next opening check all chunks again, after err was met in what had been found good. That one names all that is
// damaged, and whoever can make the store anew learns that it has to.
func (s *Store) forgetVerified(err error) {
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTruncated) {
		_ = os.Remove(filepath.Join(s.dir, verifiedName)) // in a store that cannot be written, there is none
	}
}
