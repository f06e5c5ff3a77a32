package weights

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/tensor"
)

// smallStore makes a store whose chunks have a few segments.
func smallStore(t testing.TB) string {
	t.Helper()
	m := newModel(smallShape, false)
	return makeStore(t, m.made(t, tensor.F32), tensor.Q8_0)
}

func chunkPath(dir string, name string) string { return filepath.Join(dir, "chunks", name) }

func TestOpenSpoiltStore(t *testing.T) {
	good := smallStore(t)
	tests := []struct {
		name  string
		spoil func(dir string) error
		kind  error
		file  string // named by the error
	}{
		{"no manifest", func(dir string) error { return os.Remove(filepath.Join(dir, ManifestName)) }, fs.ErrNotExist, ManifestName},
		{"truncated manifest", func(dir string) error { return os.Truncate(filepath.Join(dir, ManifestName), 100) }, ErrCorrupt, ManifestName},
		{"future version", func(dir string) error {
			path := filepath.Join(dir, ManifestName)
			raw := bytes.Replace(readFile(t, path), []byte(`"version":2`), []byte(`"version":7`), 1)
			return os.WriteFile(path, raw, 0o600)
		}, ErrVersion, ManifestName},
		{"missing chunk", func(dir string) error { return os.Remove(chunkPath(dir, "0002.bin")) }, fs.ErrNotExist, "0002.bin"},
		{"truncated chunk", func(dir string) error { return os.Truncate(chunkPath(dir, "0001.bin"), 4096) }, ErrTruncated, "0001.bin"},
		{"longer chunk", func(dir string) error { return os.Truncate(chunkPath(dir, "0001.bin"), 1<<20) }, ErrCorrupt, "0001.bin"},
		{"chunks swapped", func(dir string) error { return os.Rename(chunkPath(dir, "0001.bin"), chunkPath(dir, "0002.bin")) }, fs.ErrNotExist, "0001.bin"},
		{"chunk of another block", func(dir string) error {
			return os.WriteFile(chunkPath(dir, "0001.bin"), readFile(t, chunkPath(dir, "0002.bin")), 0o600)
		}, ErrCorrupt, "0001.bin"},
		{"flipped bit", func(dir string) error {
			raw := readFile(t, chunkPath(dir, "0003.bin"))
			raw[len(raw)/2] ^= 1
			return os.WriteFile(chunkPath(dir, "0003.bin"), raw, 0o600)
		}, ErrCorrupt, "0003.bin"},
		{"missing tokenizer", func(dir string) error { return os.Remove(filepath.Join(dir, "tokenizer.json")) }, fs.ErrNotExist, "tokenizer.json"},
		{"changed tokenizer", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(`{"model":[]}`), 0o600)
		}, ErrCorrupt, "tokenizer.json"},
		{"truncated tokenizer", func(dir string) error { return os.Truncate(filepath.Join(dir, "tokenizer.json"), 3) }, ErrTruncated, "tokenizer.json"},
	}
	for _, tt := range tests {
		for _, before := range []string{"never opened", "opened before"} {
			t.Run(tt.name+"/"+before, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "copy.lever")
				if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
					t.Fatal(err)
				}
				if before == "opened before" {
					open(t, dir)
				}
				if err := tt.spoil(dir); err != nil {
					t.Fatal(err)
				}
				for what, err := range map[string]error{
					"Open":   second(Open(t.Context(), dir, OpenOptions{})),
					"Verify": Verify(t.Context(), dir, nil),
				} {
					if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.file) {
						t.Errorf("%s: got %v, want %v naming %s", what, err, tt.kind, tt.file)
					}
				}
			})
		}
	}
	if _, err := Inspect(good); err != nil {
		t.Error(err)
	}
}

func second(_ *Store, err error) error { return err }

// countingOpener opens files and counts the bytes read from them.
func countingOpener(n *atomic.Int64) func(string) (File, error) {
	return func(path string) (File, error) {
		f, err := os.Open(path)
		return countingFile{f, n}, err
	}
}

type countingFile struct {
	*os.File
	n *atomic.Int64
}

func (f countingFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.n.Add(int64(n))
	return n, err
}

func TestFirstOpenChecksChunks(t *testing.T) {
	dir := smallStore(t)
	var n atomic.Int64
	var last Progress
	opts := OpenOptions{OpenFile: countingOpener(&n), Progress: func(p Progress) { last = p }}
	s, err := Open(t.Context(), dir, opts)
	if err != nil || n.Load() != s.Bytes() || last.Done != s.Bytes() || last.Total != s.Bytes() {
		t.Fatalf("%v: read %d bytes, reported %+v", err, n.Load(), last)
	}
	if _, err = Open(t.Context(), dir, opts); err != nil || n.Load() != s.Bytes() {
		t.Errorf("%v: opening again read %d bytes", err, n.Load()-s.Bytes())
	}
	raw := readFile(t, chunkPath(dir, "0001.bin"))
	raw[0] ^= 1
	writeFile(t, chunkPath(dir, "0001.bin"), raw)
	var where *ChunkError
	if _, err = Open(t.Context(), dir, opts); !errors.As(err, &where) || where.Chunk != 1 || where.Segment != 0 || where.Offset != 0 {
		t.Errorf("got %v", err)
	}
	raw[0] ^= 1
	writeFile(t, chunkPath(dir, "0001.bin"), raw)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Open(ctx, dir, opts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err = Open(t.Context(), dir, opts); err != nil {
		t.Errorf("repaired store: %v", err)
	}
}

// A flipped bit anywhere in a chunk is found by everything that reads it, and named.
func TestFlippedBitProperty(t *testing.T) {
	dir := smallStore(t)
	s := open(t, dir)
	rapid.Check(t, func(t *rapid.T) {
		chunk := rapid.IntRange(0, len(s.manifest.Chunks)-1).Draw(t, "chunk")
		path := s.path(s.manifest.Chunks[chunk].File)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "offset")
		bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		flip := func() {
			raw[at] ^= bit
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		flip()
		defer flip()
		check := func(what string, err error) {
			var where *ChunkError
			if !errors.Is(err, ErrCorrupt) || !errors.As(err, &where) || where.Chunk != chunk || where.Segment < 0 {
				t.Fatalf("%s: %v", what, err)
			}
		}
		check("Verify", Verify(context.Background(), dir, nil))
		_, err = s.Resident(context.Background(), nil)
		check("Resident", err)
		if chunk > 0 { // the embedding is not streamed when there is a head
			check("Streamer", streamAll(s))
		}
	})
}

// streamAll reads one pass and returns the first error.
func streamAll(s *Store) error {
	r, err := s.Stream(context.Background(), StreamOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	for _, t := range s.manifest.Tensors {
		if t.Name == embeddingName {
			continue
		}
		for _, err := range r.Parts(context.Background(), t.Name) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func TestVerify(t *testing.T) {
	dir := smallStore(t)
	var last Progress
	if err := Verify(t.Context(), dir, func(p Progress) { last = p }); err != nil || last.Done != last.Total || last.Total == 0 {
		t.Errorf("%v, %+v", err, last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Verify(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// Sums that agree with each other but not with the content of the whole file.
	path := filepath.Join(dir, ManifestName)
	m, _, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Chunks[1].SHA256 = m.Chunks[2].SHA256
	writeFile(t, path, marshal(t, m))
	var where *ChunkError
	if err := Verify(t.Context(), dir, nil); !errors.As(err, &where) || where.Chunk != 1 || where.Segment != -1 || !strings.Contains(err.Error(), "sha-256") {
		t.Errorf("got %v", err)
	}
}

func TestFS(t *testing.T) {
	dir := smallStore(t)
	writeFile(t, filepath.Join(dir, "stray.tiktoken"), []byte("not of the store"))
	fsys := open(t, dir).FS()
	if err := fstest.TestFS(fsys, "tokenizer.json"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"stray.tiktoken", ManifestName, "chunks"} {
		if _, err := fs.Stat(fsys, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIsStore(t *testing.T) {
	dir := smallStore(t)
	for path, want := range map[string]bool{dir: true, filepath.Dir(dir): false, filepath.Join(dir, ManifestName): false} {
		if got, err := IsStore(path); got != want || err != nil {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	if _, err := IsStore(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestInspect(t *testing.T) {
	dir := smallStore(t)
	info, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Version != denseVersion || len(info.Chunks) != 4 || info.Tensors[0].Name != embeddingName || info.Tensors[0].Rows != 50 || len(info.Tokenizer) != 2 {
		t.Errorf("got %+v", info)
	}
	elements := int64(0)
	for _, x := range info.Types {
		elements += x.Elements
	}
	want := int64(0)
	for _, r := range newModel(smallShape, false).roles() {
		want += int64(r.rows * r.cols)
	}
	if elements != want || info.Types[0].Type != "q8_0" {
		t.Errorf("%d elements of types %+v, want %d", elements, info.Types, want)
	}
	if _, err := Inspect(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestResident(t *testing.T) {
	s := open(t, smallStore(t))
	var last Progress
	r, err := s.Resident(t.Context(), func(p Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != s.Bytes() || r.Stats().BytesRead != s.Bytes() || r.Stats().PeakBytes != s.Bytes() {
		t.Errorf("reported %+v, counted %+v", last, r.Stats())
	}
	// Tile agrees with Parts for every row.
	whole, d := rowMajor(t, r, embeddingName)
	for row := range 50 {
		p, err := r.Tile(t.Context(), embeddingName, row)
		if err != nil || p.Check() != nil {
			t.Fatal(err, p.Check())
		}
		rows := make([]byte, p.Rows*d.RowBytes(p.Cols))
		if err := tensor.Unpack(rows, p.Data, d, p.Rows, p.Cols); err != nil {
			t.Fatal(err)
		}
		if from := d.RowBytes(p.Cols) * p.Row; row < p.Row || row >= p.Row+p.Rows || !bytes.Equal(rows, whole[from:from+len(rows)]) {
			t.Fatalf("tile of row %d differs", row)
		}
	}
	parts := 0
	for name, tensor := range resident(t, bigStore(t, true)).tensors {
		if parts += len(tensor.entry.Parts) - 1; len(tensor.parts) != 1 {
			t.Errorf("%s lies in %d pieces", name, len(tensor.parts))
		}
	}
	if parts == 0 {
		t.Error("no tensor has several parts")
	}
	for _, row := range []int{-1, 50} {
		if _, err := r.Tile(t.Context(), embeddingName, row); err == nil {
			t.Errorf("row %d exists", row)
		}
	}
	if _, err := r.Tile(t.Context(), "none", 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if err := firstError(r.Parts(t.Context(), "none")); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "none") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := firstError(r.Parts(ctx, embeddingName)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Resident(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	yield := func(tensor.Packed, error) bool { return true }
	if n := testing.AllocsPerRun(10, func() { r.Parts(t.Context(), "block.0.q")(yield) }); n != 0 {
		t.Errorf("a sequence allocates %v times", n)
	}
	// Closing inside an iteration leaves the part valid.
	for p, err := range r.Parts(t.Context(), "block.0.q") {
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n := bytes.Count(p.Data, []byte{0}); n == len(p.Data) {
			t.Error("data are gone")
		}
	}
	if err := firstError(r.Parts(t.Context(), "block.0.q")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Tile(t.Context(), embeddingName, 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func firstError(seq func(func(tensor.Packed, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// Conversion gives every byte of a chunk a meaning: what lies between parts is zero.
func TestPaddingIsZero(t *testing.T) {
	dir := smallStore(t)
	s := open(t, dir)
	for i, raw := range chunkFiles(t, dir) {
		for _, x := range s.manifest.Tensors {
			for _, p := range x.Parts {
				if p.Chunk == i {
					from := int(s.manifest.Chunks[i].Segments[p.Segment].Offset) + p.Offset
					clear(raw[from : from+x.partBytes(p)])
				}
			}
		}
		if slices.ContainsFunc(raw, func(b byte) bool { return b != 0 }) {
			t.Errorf("chunk %d has bytes outside its parts", i)
		}
	}
}

// unreliableFile fails some reads, gives short ones, flips bits and stalls.
type unreliableFile struct {
	File
	f *faults
}

// faults decides which reads of a store go wrong.
type faults struct {
	perMille int
	injected atomic.Int64

	mu  sync.Mutex
	rng *rand.Rand
}

var errFlash = errors.New("flash does not answer")

// open opens a store whose reads go wrong.
func (f *faults) open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, OpenOptions{OpenFile: func(path string) (File, error) {
		file, err := os.Open(path)
		return unreliableFile{file, f}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next returns the kind of the next fault, or -1, and a random number.
func (f *faults) next(kinds int) (kind, random int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rng.IntN(1000) >= f.perMille {
		return -1, 0
	}
	f.injected.Add(1)
	return f.rng.IntN(kinds), f.rng.Int()
}

func (u unreliableFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := u.File.ReadAt(p, off)
	switch kind, random := u.f.next(6); kind {
	case 0:
		return 0, errFlash
	case 1:
		return n / 2, io.EOF
	case 2:
		p[random%n] ^= 1 << (random >> 32 % 8)
	case 3: // short, but without an error
		return n / 2, nil
	case 4:
		clear(p[n/2 : n])
	case 5:
		time.Sleep(time.Millisecond)
	}
	return n, err
}
