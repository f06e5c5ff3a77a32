package weights

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/lever-go/lever/tensor"
)

var bigStores struct {
	sync.Mutex
	root string
}

// bigStore returns a store of F16, tied or not, that the tests share. It is made once and must not be changed.
func bigStore(t testing.TB, tied bool) string {
	t.Helper()
	bigStores.Lock()
	defer bigStores.Unlock()
	if bigStores.root == "" {
		root, err := os.MkdirTemp("", "lever-weights-")
		if err != nil {
			t.Fatal(err)
		}
		bigStores.root = root
	}
	name := map[bool]string{true: "tied.lever", false: "head.lever"}[tied]
	dst := filepath.Join(bigStores.root, name)
	if _, err := os.Stat(dst); err == nil {
		return dst
	}
	m := newModel(bigShape, tied)
	if err := Write(t.Context(), m.made(t, tensor.F16), dst, WriteOptions{Type: tensor.F16}); err != nil {
		t.Fatal(err)
	}
	return dst
}

func stream(t testing.TB, s *Store, opts StreamOptions) *Streamer {
	t.Helper()
	r, err := s.Stream(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// passNames lists the tensors of a pass in order of use.
func passNames(s *Store) []string {
	var names []string
	head := embeddingName
	for _, t := range s.manifest.Tensors {
		switch t.Name {
		case embeddingName:
		case headName:
			head = headName
		default:
			names = append(names, t.Name)
		}
	}
	return append(names, head)
}

// same checks that a tensor read through r is what want holds.
func same(t testing.TB, want *Resident, r *Streamer, name string) {
	t.Helper()
	next := 0
	for p, err := range r.Parts(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		if w := rowsOf(want, name, p); p.Row != next || p.Type != w.Type || p.Cols != w.Cols || !bytes.Equal(p.Data, w.Data) {
			t.Fatalf("%s: the part from row %d on differs", name, p.Row)
		}
		if uintptr(unsafe.Pointer(&p.Data[0]))%4096 != 0 {
			t.Fatalf("%s: the part from row %d on is not aligned", name, p.Row)
		}
		next += p.Rows
	}
	if next != want.tensors[name].entry.Rows {
		t.Fatalf("%s: %d rows", name, next)
	}
}

// rowsOf returns the rows of a part as want holds them: each tensor of bigStore in one piece.
func rowsOf(want *Resident, name string, p tensor.Packed) tensor.Packed {
	return want.tensors[name].parts[0].Slice(p.Row, p.Row+p.Rows)
}

func TestStreamedPasses(t *testing.T) {
	for _, tied := range []bool{true, false} {
		dir := bigStore(t, tied)
		want := resident(t, dir)
		for _, opts := range streamVariants(want.store.Bytes()) {
			s := open(t, dir)
			r := stream(t, s, opts)
			for range 2 {
				for _, name := range passNames(s) {
					same(t, want, r, name)
				}
			}
			stats := r.Stats()
			if stats.Seeks != 0 || stats.OutOfOrder != 0 {
				t.Errorf("%+v: %d seeks in order, %d out of order", opts, stats.Seeks, stats.OutOfOrder)
			}
			least := s.Bytes() - s.manifest.Chunks[0].Size
			if opts.DRAM == 0 && stats.BytesRead < least || stats.ReadTime <= 0 || stats.PeakBytes > r.Plan().Total() {
				t.Errorf("%+v: %+v", opts, stats)
			}
		}
	}
}

// streamVariants returns options for a store of that size: from the least memory to all.
func streamVariants(size int64) []StreamOptions {
	return []StreamOptions{
		{}, {Ring: 1, Depth: 1}, {Ring: 1 << 40, Depth: 8}, {ReadSize: 1 << 30}, {ReadSize: 100 << 10, Depth: 3}, {Buffered: true},
		{DRAM: 5 << 20}, {DRAM: 9 << 20}, {DRAM: size / 4}, {DRAM: size / 2, Ring: 1}, {DRAM: size * 3 / 4, Depth: 1}, {DRAM: size}, {DRAM: 1 << 40},
	}
}

func TestAnyOrder(t *testing.T) {
	dir := bigStore(t, false)
	want := resident(t, dir)
	s := open(t, dir)
	names := append(passNames(s), embeddingName)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, opts := range []StreamOptions{{Ring: 1}, {Ring: 40 << 20}, {DRAM: s.Bytes() / 2}} {
		r := stream(t, s, opts)
		for range 60 {
			name := names[rng.IntN(len(names))]
			if rng.IntN(3) == 0 { // leave off in the middle
				for _, err := range r.Parts(t.Context(), name) {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				continue
			}
			same(t, want, r, name)
		}
		if r.Stats().Seeks == 0 {
			t.Error("no seeks counted")
		}
	}
}

func TestTile(t *testing.T) {
	dir := bigStore(t, true)
	want := resident(t, dir)
	s := open(t, dir)
	r := stream(t, s, StreamOptions{Tiles: 4})
	rng := rand.New(rand.NewPCG(5, 6))
	check := func(row int) {
		t.Helper()
		p, err := r.Tile(t.Context(), embeddingName, row)
		if err != nil {
			t.Fatal(err)
		}
		w, err := want.Tile(t.Context(), embeddingName, row)
		if err != nil {
			t.Fatal(err)
		}
		if p.Row != w.Row || p.Rows != w.Rows || p.Cols != w.Cols || p.Type != w.Type || !bytes.Equal(p.Data, w.Data) {
			t.Fatalf("tile of row %d differs", row)
		}
		if uintptr(unsafe.Pointer(&p.Data[0]))%4096 != 0 {
			t.Fatal("not aligned")
		}
	}
	for range 200 {
		check(rng.IntN(bigShape.vocab))
	}
	check(bigShape.vocab - 1)
	hits := r.Stats().TileHits
	for range 5 {
		check(0)
		check(15)
	}
	stats := r.Stats()
	if stats.TileHits < hits+9 || len(r.tiles[embeddingName].tiles) > 4 || stats.PeakBytes > r.Plan().Total() {
		t.Errorf("%d tiles kept, %+v", len(r.tiles[embeddingName].tiles), stats)
	}
	for _, row := range []int{-1, bigShape.vocab} {
		if _, err := r.Tile(t.Context(), embeddingName, row); err == nil {
			t.Errorf("row %d exists", row)
		}
	}
	if _, err := r.Tile(t.Context(), "block.0.q", 0); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Tile(t.Context(), "none", 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestOneConsumer(t *testing.T) {
	r := stream(t, open(t, smallStore(t)), StreamOptions{})
	for _, err := range r.Parts(t.Context(), "block.0.q") {
		if err != nil {
			t.Fatal(err)
		}
		if err := firstError(r.Parts(t.Context(), "block.0.k")); err == nil || !strings.Contains(err.Error(), "still held") {
			t.Errorf("got %v", err)
		}
	}
	if err := firstError(r.Parts(t.Context(), "block.0.k")); err != nil {
		t.Error(err)
	}
	if err := firstError(r.Parts(t.Context(), "none")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// stalledFile does not answer until it is told to.
type stalledFile struct {
	File
	gate chan struct{}
}

func (f stalledFile) ReadAt(p []byte, off int64) (int, error) {
	<-f.gate
	return f.File.ReadAt(p, off)
}

// stalled opens a store whose reads wait until gate is closed.
func stalled(t *testing.T, gate chan struct{}) *Streamer {
	t.Helper()
	dir := smallStore(t)
	open(t, dir) // checks it
	s, err := Open(t.Context(), dir, OpenOptions{OpenFile: func(path string) (File, error) {
		f, err := os.Open(path)
		return stalledFile{f, gate}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return stream(t, s, StreamOptions{})
}

func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := stalled(t, gate)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := firstError(r.Parts(ctx, "block.0.q")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := r.Tile(ctx, embeddingName, 3); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := r.store.Stream(ctx, StreamOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		close(gate)
		if err := firstError(r.Parts(t.Context(), "block.0.q")); err != nil {
			t.Errorf("after a cancelled request: %v", err)
		}
		if _, err := r.Tile(t.Context(), embeddingName, 3); err != nil {
			t.Errorf("after a cancelled request: %v", err)
		}
		if got := r.Stats().WaitTime; got != 20*time.Millisecond {
			t.Errorf("waited %v", got)
		}
	})
}

func TestCloseWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := stalled(t, gate)
		var consumers sync.WaitGroup
		consumers.Go(func() {
			if err := firstError(r.Parts(context.Background(), "block.0.q")); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
		consumers.Go(func() {
			if _, err := r.Tile(context.Background(), embeddingName, 3); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait() // until both wait for the flash
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		consumers.Wait() // though the flash still does not answer
		select {
		case <-closed:
			t.Error("Close did not wait for the reads")
		default:
		}
		close(gate)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := firstError(r.Parts(t.Context(), "block.0.q")); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPartOutlivesClose(t *testing.T) {
	r := stream(t, open(t, smallStore(t)), StreamOptions{})
	for p, err := range r.Parts(t.Context(), "block.0.q") {
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(p.Data)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(before, p.Data) {
			t.Error("data changed")
		}
	}
	if r.memory != 0 {
		t.Errorf("%d bytes are left", r.memory)
	}
}

// Consumers in any order, cancelled and closed at any time, see right data or a named error, and nothing leaks.
func TestRandomInterruptions(t *testing.T) {
	dir := bigStore(t, true)
	want := resident(t, dir)
	s := open(t, dir)
	names := passNames(s)
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 7))
		r, err := s.Stream(t.Context(), StreamOptions{DRAM: 9<<20 + rng.Int64N(s.Bytes()), Depth: 1 + rng.IntN(4), Tiles: 1 + rng.IntN(3)})
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 2 {
			order := rand.New(rand.NewPCG(rng.Uint64(), 8))
			group.Go(func() {
				for {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(order.IntN(3000))*time.Microsecond)
					err := consume(ctx, order, r, want, names)
					cancel()
					if errors.Is(err, fs.ErrClosed) {
						return
					}
					if err != nil && !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "still held") {
						t.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
		if r.memory != 0 {
			t.Fatalf("%d bytes are left", r.memory)
		}
	}
}

// consume reads one tensor or tile and compares it.
func consume(ctx context.Context, rng *rand.Rand, r *Streamer, want *Resident, names []string) error {
	if rng.IntN(4) == 0 {
		_, err := r.Tile(ctx, embeddingName, rng.IntN(bigShape.vocab))
		return err
	}
	name := names[rng.IntN(len(names))]
	for p, err := range r.Parts(ctx, name) {
		if err != nil {
			return err
		}
		if !bytes.Equal(p.Data, rowsOf(want, name, p).Data) {
			return errors.New(name + " differs")
		}
		if rng.IntN(8) == 0 {
			break
		}
	}
	return nil
}

// With a flash that fails, every read gives right data or a named error, and reading goes on afterwards. Single faults are hidden.
func TestUnreliableFlash(t *testing.T) {
	dir := bigStore(t, true)
	want := resident(t, dir)
	// Where faults are rare, many bytes are read for each.
	for perMille, total := range map[int]int64{20: 300, 400: 3000} {
		if testing.Short() {
			total = 250
		}
		f := &faults{rng: rand.New(rand.NewPCG(9, uint64(perMille)))}
		s := f.open(t, dir) // which reads the store without faults, if nobody has yet
		f.perMille = perMille
		r := stream(t, s, StreamOptions{DRAM: 24 << 20, ReadSize: 256 << 10, Depth: 3, Tiles: 1})
		rng := rand.New(rand.NewPCG(1, 2))
		failures := int64(0)
		for f.injected.Load() < total {
			if err := consumePass(t, rng, r, want); err != nil {
				failures++
				var where *ChunkError
				if !errors.As(err, &where) || where.Segment < 0 || !(errors.Is(err, errFlash) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTruncated)) {
					t.Fatalf("unnamed error %v", err)
				}
			}
		}
		stats := r.Stats()
		if stats.Retries == 0 || failures >= stats.Retries {
			t.Errorf("%d failures, %d retries of %d faults", failures, stats.Retries, f.injected.Load())
		}
		if perMille == 400 && failures == 0 {
			t.Error("no failures")
		}
		t.Logf("%d faults, %d retries, %d failures", f.injected.Load(), stats.Retries, failures)
	}
}

// consumePass reads all tensors of a pass, and some tiles, and fails the test where they differ from want.
func consumePass(t testing.TB, rng *rand.Rand, r *Streamer, want *Resident) error {
	t.Helper()
	for _, name := range passNames(r.store) {
		row := rng.IntN(bigShape.vocab)
		tile, err := r.Tile(t.Context(), embeddingName, row)
		if err != nil {
			return err
		}
		if w, err := want.Tile(t.Context(), embeddingName, row); err != nil || !bytes.Equal(tile.Data, w.Data) {
			t.Fatalf("tile of row %d differs: %v", row, err)
		}
		for p, err := range r.Parts(t.Context(), name) {
			if err != nil {
				return err
			}
			if !bytes.Equal(p.Data, rowsOf(want, name, p).Data) {
				t.Fatalf("%s: the part from row %d on differs", name, p.Row)
			}
		}
	}
	return nil
}

// silentFile does not answer while its flash is silent.
type silentFile struct {
	File
	silent *atomic.Bool
}

func (f silentFile) ReadAt(p []byte, off int64) (int, error) {
	if f.silent.Load() {
		return 0, errFlash
	}
	return f.File.ReadAt(p, off)
}

// What failed while it was read ahead does not fail once the flash answers.
func TestReadAheadFails(t *testing.T) {
	dir := bigStore(t, true)
	want := resident(t, dir)
	var silent atomic.Bool
	s, err := Open(t.Context(), dir, OpenOptions{OpenFile: func(path string) (File, error) {
		f, err := os.Open(path)
		return silentFile{f, &silent}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := stream(t, s, StreamOptions{DRAM: 24 << 20, ReadSize: 256 << 10})
	names := passNames(s)
	same(t, want, r, names[0])
	silent.Store(true)
	failed := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.fetches, func(l *fetch) bool { return l != nil && l.done && l.err != nil })
	}
	for i := 1; !failed(); i++ { // what was read before is used up
		for range r.Parts(t.Context(), names[i%len(names)]) {
		}
	}
	silent.Store(false)
	for range 2 {
		for _, name := range names {
			same(t, want, r, name)
		}
	}
}

// What happens to the files of an open store is an error with a name, or does not matter.
func TestStoreChangesWhileOpen(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(path string) error
		want  error
	}{
		{"truncated", func(path string) error { return os.Truncate(path, 4096) }, ErrTruncated},
		{"overwritten", func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) }, ErrCorrupt},
		{"deleted", os.Remove, ErrReplaced},
		{"replaced", func(path string) error { return os.Rename(filepath.Join(filepath.Dir(path), "0002.bin"), path) }, ErrReplaced},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := smallStore(t)
			s := open(t, dir)
			r := stream(t, s, StreamOptions{Ring: 1, Depth: 1})
			if err := firstError(r.Parts(t.Context(), "block.0.attn_norm")); err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(chunkPath(dir, "0003.bin")); err != nil {
				t.Fatal(err)
			}
			var where *ChunkError
			if err := firstError(r.Parts(t.Context(), headName)); !errors.Is(err, tt.want) || !errors.As(err, &where) || where.Chunk != 3 {
				t.Errorf("got %v", err)
			}
		})
	}
	dir := smallStore(t)
	s := open(t, dir)
	if err := os.Remove(chunkPath(dir, "0002.bin")); err != nil {
		t.Fatal(err)
	}
	var where *ChunkError
	if _, err := s.Stream(t.Context(), StreamOptions{}); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &where) || where.Chunk != 2 {
		t.Errorf("got %v", err)
	}
	if _, err := s.Resident(t.Context(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
