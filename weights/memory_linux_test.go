package weights

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/offheap"
)

// residentMemory returns the memory of the process that is in use now, in bytes.
func residentMemory(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Skip("the system does not tell")
	return 0
}

// Over many passes with changing limits, memory stays within the plan and what a Trim takes goes back to the system.
func TestResidentMemory(t *testing.T) {
	dir := bigStore(t, true)
	s := open(t, dir)
	before := residentMemory(t)
	r := stream(t, s, StreamOptions{DRAM: s.Bytes() * 3 / 4})
	passes := 200
	if testing.Short() {
		passes = 20
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var early, late int64
	for i := range passes {
		for _, name := range passNames(s) {
			if _, err := r.Tile(t.Context(), embeddingName, rng.IntN(bigShape.vocab)); err != nil {
				t.Fatal(err)
			}
			if err := firstError(r.Parts(t.Context(), name)); err != nil {
				t.Fatal(err)
			}
		}
		now := residentMemory(t) - before
		if i < passes/4 {
			early = max(early, now)
		} else {
			late = max(late, now)
		}
	}
	total := r.Plan().Total()
	if max(early, late)-total > 16<<20 || late-early > 8<<20 {
		t.Errorf("%d bytes at first and %d bytes later, %d planned", early, late, total)
	}
	trimmed, err := r.Trim(TrimCritical)
	if err != nil {
		t.Fatal(err)
	}
	freed := int64(0)
	for deadline := time.Now().Add(10 * time.Second); freed < (total-trimmed.Total())*9/10 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		freed = late - (residentMemory(t) - before)
	}
	if planned := total - trimmed.Total(); freed < planned*9/10 {
		t.Errorf("%d bytes are back at the system, %d should be", freed, planned)
	}
}

// Files of file systems that refuse direct reads, and reads that are not of whole pages, go through the page cache.
func TestBufferedFallBack(t *testing.T) {
	f, err := OpenDirect("/proc/version")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if mode := modeOf(f); mode != Buffered {
		t.Errorf("proc is read %s", mode)
	}
	if n, err := f.ReadAt(make([]byte, 5), 0); n != 5 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	path := chunkPath(smallStore(t), "0001.bin")
	if f, err = OpenDirect(path); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := readFile(t, path)
	got := make([]byte, 5000)
	if n, err := f.ReadAt(got, 17); n != len(got) || err != nil || !bytes.Equal(got, want[17:][:len(got)]) {
		t.Errorf("%d bytes, %v", n, err)
	}
	mode := modeOf(f)
	aligned := offheap.FromHeap(8192)
	if n, err := f.ReadAt(aligned, 4096); n != len(aligned) || err != nil || !bytes.Equal(aligned, want[4096:][:8192]) || modeOf(f) != mode {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Experts that are not of whole huge pages share memory, which goes back to the system with the last of them.
func TestSlab(t *testing.T) {
	r := &Streamer{slab: &slab{}}
	const n = 3*leastInSlab + 4096
	var all []pages
	for i := range 2 * slabBytes / n {
		mem, err := r.newKept(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(mem.bytes) != n || !isAligned(mem.bytes) {
			t.Fatalf("expert %d has %d bytes, aligned: %v", i, len(mem.bytes), isAligned(mem.bytes))
		}
		mem.bytes[0], mem.bytes[n-1] = byte(i), byte(i)
		all = append(all, mem)
	}
	for i, mem := range all {
		if mem.bytes[0] != byte(i) || mem.bytes[n-1] != byte(i) {
			t.Fatalf("expert %d was overwritten", i)
		}
	}
	first := r.slab
	for _, mem := range all {
		if err := mem.free(); err != nil {
			t.Fatal(err)
		}
	}
	if first.mem != nil {
		t.Error("memory that nobody uses is kept")
	}
	if mem, err := r.newKept(n); err != nil || mem.free() != nil {
		t.Errorf("no memory after all was given back: %v", err)
	}
}
