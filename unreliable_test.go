package lever_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// flash is a device whose reads go wrong by chance.
type flash struct {
	perMille atomic.Int64
	injected atomic.Int64
	open     atomic.Int64 // files

	mu  sync.Mutex
	rng *rand.Rand
}

var errFlash = errors.New("flash does not answer")

// next returns the kind of the next fault, or -1, and a random number.
func (f *flash) next(kinds int) (kind, random int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rng.Int64N(1000) >= f.perMille.Load() {
		return -1, 0
	}
	f.injected.Add(1)
	return f.rng.IntN(kinds), f.rng.Int()
}

func (f *flash) openFile(path string) (weights.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f.open.Add(1)
	return unreliableFile{file, f}, nil
}

type unreliableFile struct {
	*os.File
	flash *flash
}

func (u unreliableFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := u.File.ReadAt(p, off)
	switch kind, random := u.flash.next(6); kind {
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

func (u unreliableFile) Close() error {
	u.flash.open.Add(-1)
	return u.File.Close()
}

// With a flash that fails, stalls, reads too little or the wrong bits, a generation gives the text that it gives without faults, or as much
// of it as it had when it ended with an error that names the place. The engine can be used afterwards. LEVER_FAULTS is the number of faults, for
// those who have more time.
func TestGenerationsFromUnreliableFlash(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	total := int64(1500)
	if testing.Short() {
		total = 300
	}
	if text := os.Getenv("LEVER_FAULTS"); text != "" {
		if total, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("dense", func(t *testing.T) {
		testUnreliableFlash(t, total, lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 6 << 20, ReadSize: 16 << 10, ReadDepth: 3})
	})
	t.Run("experts", func(t *testing.T) {
		target, draft := randomFolder(t, fmt.Sprintf(sparseConfig, 3)), randomFolder(t, fmt.Sprintf(sparseConfig, 1))
		testUnreliableFlash(t, total, lever.Config{Model: target, Draft: draft, CacheDir: t.TempDir(), DRAM: 2 << 20, ReadSize: 16 << 10, ReadDepth: 3})
	})
}

func testUnreliableFlash(t *testing.T, total int64, config lever.Config) {
	const tokens = 8
	prompts := []string{"def add(a, b):", "Janet has 3 ducks."}
	whole := open(t, lever.Config{Model: config.Model, CacheDir: config.CacheDir})
	var want []string
	for _, p := range prompts {
		want = append(want, generate(t, whole, lever.Request{Prompt: p, Raw: true, MaxTokens: tokens, Policy: spec.None{}}).Text)
	}

	device := &flash{rng: rand.New(rand.NewPCG(4, 4))}
	config.OpenFile = device.openFile
	engine := open(t, config)
	right, failed := 0, 0
	for i := 0; device.injected.Load() < total; i++ {
		device.perMille.Store([]int64{4, 30, 200, 500}[i%4])
		n := i / 4 % len(prompts)
		got, err := engine.Generate(t.Context(), lever.Request{Prompt: prompts[n], Raw: true, MaxTokens: tokens}, nil)
		var where *weights.ChunkError
		switch {
		case err == nil && got.Text == want[n]:
			right++
		case err == nil || !strings.HasPrefix(want[n], got.Text):
			t.Fatalf("generation %d: %q, not %q; error %v", i, got.Text, want[n], err)
		case !errors.As(err, &where) || where.File == "" || !(errors.Is(err, errFlash) || errors.Is(err, weights.ErrCorrupt) || errors.Is(err, weights.ErrTruncated)):
			t.Fatalf("generation %d: unnamed error %v", i, err)
		default:
			failed++
		}
	}
	t.Logf("%d faults: %d generations were right, %d failed", device.injected.Load(), right, failed)
	if right == 0 || failed == 0 {
		t.Errorf("%d generations were right, %d failed", right, failed)
	}
	device.perMille.Store(0)
	if got := generate(t, engine, lever.Request{Prompt: prompts[0], Raw: true, MaxTokens: tokens}); got.Text != want[0] {
		t.Errorf("afterwards %q, not %q", got.Text, want[0])
	}
	if err := engine.Close(); err != nil || device.open.Load() != 0 {
		t.Errorf("%d files are open after closing: %v", device.open.Load(), err)
	}
}

// A flash that does not answer any more does not keep a generation from being cancelled, nor, once it answers, an engine from closing.
func TestGenerationFromStalledFlashIsCancelled(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var stalled atomic.Bool
	answers, reading := make(chan struct{}), make(chan struct{}, 1<<10)
	engine := open(t, lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 6 << 20, OpenFile: func(path string) (weights.File, error) {
		file, err := os.Open(path)
		return stalledFile{file, &stalled, reading, answers}, err
	}})
	request := lever.Request{Prompt: "def add(a, b):", Raw: true, MaxTokens: 24}
	want := generate(t, engine, request)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-reading
		cancel()
	}()
	got, err := engine.Generate(ctx, request, func(string) error {
		stalled.Store(true)
		return nil
	})
	if !errors.Is(err, context.Canceled) || got.Finish != spec.FinishCancelled || !strings.HasPrefix(want.Text, got.Text) || got.Text == "" {
		t.Errorf("%q, finished by %q, error %v", got.Text, got.Finish, err)
	}
	stalled.Store(false)
	close(answers)
	if again := generate(t, engine, request); again.Text != want.Text {
		t.Errorf("afterwards %q, not %q", again.Text, want.Text)
	}
}

// stalledFile does not answer while it is stalled, and tells of reads then.
type stalledFile struct {
	*os.File
	stalled *atomic.Bool
	reading chan<- struct{}
	answers <-chan struct{}
}

func (f stalledFile) ReadAt(p []byte, off int64) (int, error) {
	if f.stalled.Load() {
		f.reading <- struct{}{}
		<-f.answers
	}
	return f.File.ReadAt(p, off)
}
