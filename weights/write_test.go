package weights

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/tensor"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(exitCode int) {
		os.RemoveAll(bigStores.root)
		os.Exit(exitCode)
	}))
}

// chunkFiles returns the chunks of a store.
func chunkFiles(t *testing.T, dir string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "chunks", "*.bin"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no chunks", err)
	}
	var all [][]byte
	for _, p := range paths {
		all = append(all, readFile(t, p))
	}
	return all
}

func TestColumnsThatFillNoBlocks(t *testing.T) {
	s := smallShape
	s.ffn = 72 // columns of down
	m := newModel(s, true)
	r := resident(t, makeStore(t, m.made(t, tensor.F32), tensor.Q4_0))
	for name, want := range map[string]tensor.DType{"block.0.down": tensor.F16, "block.0.up": tensor.Q4_0} {
		if got, d := numbers(t, r, name); d != want || d == tensor.F16 && !slices.Equal(got, m.values[name]) {
			t.Errorf("%s is %v, want %v with the same values", name, d, want)
		}
	}
}

func TestProgress(t *testing.T) {
	m := newModel(smallShape, false)
	var last Progress
	dst := filepath.Join(t.TempDir(), "x.lever")
	err := Write(t.Context(), m.made(t, tensor.F32), dst, WriteOptions{Progress: func(p Progress) {
		if p.Done <= last.Done || p.Name == "" || last.Total != 0 && p.Total != last.Total {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}})
	if err != nil || last.Done != last.Total || last.Total != open(t, dst).Bytes() || last.Name != headName {
		t.Errorf("%v, ends with %+v", err, last)
	}
}

// onlyEntries fails if the folder holds anything but the named entries.
func onlyEntries(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("folder holds %q, want %q", got, names)
	}
}

func TestDestination(t *testing.T) {
	m := newModel(smallShape, true)
	src := m.made(t, tensor.F32)
	dir := t.TempDir()
	dst := filepath.Join(dir, "x.lever")
	run := func(o WriteOptions) error { return Write(t.Context(), src, dst, o) }
	if err := run(WriteOptions{Type: tensor.Q8_0}); err != nil {
		t.Fatal(err)
	}
	before := chunkFiles(t, dst)
	if err := run(WriteOptions{Type: tensor.F16}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), dst) {
		t.Errorf("existing store: %v", err)
	}
	failing := func(string) (chunkFile, error) { return nil, errors.New("no room") }
	if err := run(WriteOptions{Type: tensor.F16, Overwrite: true, create: failing}); err == nil {
		t.Error("conversion without room succeeded")
	}
	if !reflect.DeepEqual(chunkFiles(t, dst), before) {
		t.Error("the old store changed")
	}
	if err := run(WriteOptions{Type: tensor.F16, Overwrite: true}); err != nil {
		t.Error(err)
	}
	if reflect.DeepEqual(chunkFiles(t, dst), before) {
		t.Error("the old store is still there")
	}
	open(t, dst)
	onlyEntries(t, dir, "x.lever")

	if err := os.Remove(filepath.Join(dst, ManifestName)); err != nil {
		t.Fatal(err)
	}
	if err := run(WriteOptions{Overwrite: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder that is no store: %v", err)
	}
	if err := Write(t.Context(), src, filepath.Join(dir, "none", "x.lever"), WriteOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	if err := Write(t.Context(), src, filepath.Join(dir, "y.lever"), WriteOptions{Type: tensor.IQ2_S}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("to iq2_s: %v", err)
	}
}

// Of two conversions to one place, the later to finish gives way.
func TestDestinationAppearsMeanwhile(t *testing.T) {
	m := newModel(smallShape, true)
	src := m.made(t, tensor.F32)
	dir := t.TempDir()
	dst := filepath.Join(dir, "x.lever")
	err := Write(t.Context(), src, dst, WriteOptions{Type: tensor.F16, Progress: func(p Progress) {
		if p.Done == p.Total {
			if err := Write(t.Context(), src, dst, WriteOptions{Type: tensor.Q8_0}); err != nil {
				t.Error(err)
			}
		}
	}})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if info, err := Inspect(dst); err != nil || info.Types[0].Type != "q8_0" {
		t.Errorf("%v: the first store is gone", err)
	}
	onlyEntries(t, dir, "x.lever")
}

// faultyFile fails its nth operation, counted over all files of a conversion.
type faultyFile struct {
	*os.File
	left *int
	err  error
}

func (f faultyFile) fail() bool {
	*f.left--
	return *f.left < 0
}

func (f faultyFile) Write(p []byte) (int, error) {
	if f.fail() {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, f.err
	}
	return f.File.Write(p)
}

func (f faultyFile) Sync() error {
	if f.fail() {
		return f.err
	}
	return f.File.Sync()
}

// Wherever writing fails, nothing is left.
func TestWriteFailsAnywhere(t *testing.T) {
	m := newModel(smallShape, true)
	src := m.made(t, tensor.F32)
	full := errors.New("disk is full")
	for n := 0; ; n++ {
		dir := t.TempDir()
		dst := filepath.Join(dir, "x.lever")
		left := n
		err := Write(t.Context(), src, dst, WriteOptions{create: func(path string) (chunkFile, error) {
			f, err := os.Create(path)
			return faultyFile{f, &left, full}, err
		}})
		if err == nil {
			if n < 8 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		if !errors.Is(err, full) {
			t.Errorf("after %d operations: %v", n, err)
		}
		onlyEntries(t, dir)
	}
}

func TestCancelWhileConverting(t *testing.T) {
	m := newModel(smallShape, true)
	src := m.made(t, tensor.F32)
	for stop := 1; stop <= 3; stop++ {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := Write(ctx, src, filepath.Join(dir, "x.lever"), WriteOptions{Progress: func(Progress) {
			if calls++; calls == stop {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) || calls != stop {
			t.Errorf("stopped at %d: %v after %d", stop, err, calls)
		}
		onlyEntries(t, dir)
	}
}

func TestValuesThatTheTypeCannotHold(t *testing.T) {
	for _, tt := range []struct {
		value float32
		d     tensor.DType
	}{{float32(math.NaN()), tensor.Q8_0}, {float32(math.Inf(1)), tensor.Q4_0}, {70000, tensor.F16}, {float32(math.NaN()), tensor.F16}} {
		m := newModel(smallShape, true)
		m.values["block.1.up"][7] = tt.value
		err := Write(t.Context(), m.made(t, tensor.F32), filepath.Join(t.TempDir(), "x"), WriteOptions{Type: tt.d})
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "tensor block.1.up") {
			t.Errorf("%v to %v: %v", tt.value, tt.d, err)
		}
	}
}

// Conversion holds a segment and a few rows, not the model.
func TestMemoryWhileConverting(t *testing.T) {
	m := newModel(bigShape, true)
	src := m.made(t, tensor.F32)
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before, most := heap(), int64(0)
	err := Write(t.Context(), src, filepath.Join(t.TempDir(), "x.lever"), WriteOptions{
		Type: tensor.F16, Progress: func(Progress) { most = max(most, heap()-before) },
	})
	if limit := int64(maxSegment + 4<<20); err != nil || most > limit {
		t.Errorf("%v: %d bytes in use, more than %d", err, most, limit)
	}
}
