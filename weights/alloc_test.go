package weights

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/tensor"
)

// given is memory for weights, which notes what a device would have seen of it when it was flushed.
type given struct {
	mem, seen []byte
	free      func() error
	freed     func()
}

func (g *given) Bytes() []byte { return g.mem }

func (g *given) Flush(from, to int) error {
	copy(g.seen[from:to], g.mem[from:to])
	return errors.New("the device is lost")
}

func (g *given) Free() error {
	g.freed()
	return g.free()
}

// TestAlloc keeps pinned weights of a pass in memory of others as long as there is some, in which they are flushed before they are handed out, and gives
// it back.
func TestAlloc(t *testing.T) {
	for _, tied := range []bool{true, false} {
		dir := bigStore(t, tied)
		want := resident(t, dir)
		var mu sync.Mutex
		var all []*given
		room, live := 5, 0
		store := open(t, dir)
		r, err := store.Stream(t.Context(), StreamOptions{DRAM: want.store.Bytes() * 3 / 4, Alloc: func(d tensor.DType, n int) (Memory, error) {
			mu.Lock()
			defer mu.Unlock()
			if d != tensor.F16 && d != tensor.F32 {
				t.Errorf("memory for weights of type %v", d)
			}
			if d == tensor.F32 || room == 0 {
				return nil, errors.New("no room")
			}
			room--
			live++
			mem, free, err := offheap.Alloc(n)
			g := &given{mem: mem, seen: make([]byte, n), free: free, freed: func() { mu.Lock(); live--; mu.Unlock() }}
			all = append(all, g)
			return g, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(5, 6))
		used := map[*given]bool{}
		for range 3 {
			if err := consumePass(t, rng, r, want); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range passNames(store) {
			for p, err := range r.Parts(t.Context(), name) {
				if err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				for _, g := range all {
					if at := bytes.Index(g.mem, p.Data); at >= 0 && &g.mem[at] == &p.Data[0] {
						used[g] = true
						if !bytes.Equal(g.seen[at:][:len(p.Data)], p.Data) {
							t.Errorf("%s is handed out before the device sees it", name)
						}
					}
				}
				mu.Unlock()
			}
		}
		if len(used) != 5 || live != 5 {
			t.Errorf("%d pieces of memory are used of %d; want 5", len(used), live)
		}
		if _, err := r.Trim(TrimCritical); err != nil {
			t.Fatal(err)
		}
		if err := consumePass(t, rng, r, want); err != nil {
			t.Fatal(err)
		}
		if mu.Lock(); live == 5 {
			t.Error("no memory is given back when there is to be less")
		}
		mu.Unlock()
		if err := r.Close(); err != nil || live != 0 {
			t.Errorf("%d pieces of memory are left, %v", live, err)
		}
	}
}

// TestAllocOfPass keeps of a model that fits what passes read in memory of others, and nothing else.
func TestAllocOfPass(t *testing.T) {
	store := open(t, bigStore(t, false))
	given := int64(0)
	r, err := store.Stream(t.Context(), StreamOptions{DRAM: 2 * store.Bytes(), Alloc: func(_ tensor.DType, n int) (Memory, error) {
		given += int64(n)
		return nil, errors.New("no room")
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(passNames(store), embeddingName) {
		for _, err := range r.Parts(t.Context(), name) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Close(); err != nil || given != r.Plan().Pass || given == store.Bytes() {
		t.Errorf("memory for %d bytes was asked for, of a pass of %d; %v", given, r.Plan().Pass, err)
	}
}

// foreign is a file that cannot be read into memory of a device.
type foreign struct{ File }

func (f foreign) ReadAt(p []byte, off int64) (int, error) {
	return 0, &os.PathError{Op: "read", Path: "foreign", Err: syscall.EFAULT}
}

// TestForeignMemory reads into memory that the system cannot read into directly, and directly into other memory as before.
func TestForeignMemory(t *testing.T) {
	path := t.TempDir() + "/file"
	want := bytes.Repeat([]byte{1, 2, 3, 4}, alignment/2)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	buffered, err := openBuffered(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &directFile{bufferedFile: buffered, direct: foreign{buffered}}
	f.works.Store(true)
	got := offheap.FromHeap(len(want))
	if n, err := f.ReadAt(got, 0); n != len(want) || err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if f.Mode() != Direct {
		t.Error("other memory is not read into directly any more")
	}
	if err := buffered.Close(); err != nil {
		t.Error(err)
	}
}
