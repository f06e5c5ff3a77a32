package weights

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever/tensor"
)

// Proportions of a model of 8 billion parameters in Q4_0, its head in Q8_0, whose segments have 4 MiB.
const (
	miniBlocks        = 32
	miniBlockSegments = 29
	miniHeadSegments  = 133
	miniSegment       = 8192
	miniRing          = 16 * miniSegment
)

// miniature makes a store of these proportions with small segments of zeros, which f reads.
func miniature(t *testing.T, f File) *Store {
	t.Helper()
	m := &manifest{}
	for i := range miniBlocks {
		m.addZeros(fmt.Sprintf("block.%d", i), miniBlockSegments)
	}
	m.addZeros(headName, miniHeadSegments)
	return miniStore(t, m, f)
}

// addZeros adds a chunk of one tensor of zeros.
func (m *manifest) addZeros(name string, segments int) {
	e := tensorEntry{Name: name, Type: tensor.F32.String(), Rows: tensor.TileRows * segments, Cols: miniSegment / tensor.TileRows / 4, dtype: tensor.F32}
	for i := range segments {
		e.Parts = append(e.Parts, partEntry{Chunk: len(m.Chunks), Segment: i, Row: tensor.TileRows * i, Rows: tensor.TileRows})
	}
	m.Chunks, m.Tensors = append(m.Chunks, zeros(len(m.Chunks), segments, miniSegment)), append(m.Tensors, e)
}

// zeros returns a chunk of segments of so many bytes each.
func zeros(index, segments, size int) chunkEntry {
	c := chunkEntry{File: fmt.Sprintf(chunkPattern, index), Size: int64(segments * size)}
	crc := crc32.Checksum(make([]byte, size), crc32.MakeTable(crc32.Castagnoli))
	for i := range segments {
		c.Segments = append(c.Segments, segmentEntry{Offset: int64(i * size), Size: size, CRC32C: crc})
	}
	return c
}

// miniStore returns the store of a manifest, which f reads.
func miniStore(t *testing.T, m *manifest, f File) *Store {
	t.Helper()
	s := &Store{dir: t.TempDir(), manifest: m, openFile: func(string) (File, error) { return f, nil }}
	if err := os.Mkdir(filepath.Join(s.dir, "chunks"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Chunks {
		writeFile(t, s.path(c.File), nil)
		if err := os.Truncate(s.path(c.File), c.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.checkSizes(); err != nil {
		t.Fatal(err)
	}
	return s
}

// evenFile reads zeros at one speed, whatever is asked for and by how many.
type evenFile struct {
	perByte time.Duration
	mu      sync.Mutex
	idle    time.Time // from when on it has nothing to do
}

func (f *evenFile) ReadAt(p []byte, _ int64) (int, error) {
	f.mu.Lock()
	if now := time.Now(); f.idle.Before(now) {
		f.idle = now
	}
	f.idle = f.idle.Add(time.Duration(len(p)) * f.perByte)
	wait := time.Until(f.idle)
	f.mu.Unlock()
	time.Sleep(wait)
	return len(p), nil
}

func (*evenFile) Close() error { return nil }

// miniPass returns the time of a pass of which computing takes so long for each byte.
func miniPass(t *testing.T, r *Streamer, nanosecondsPerByte float64) time.Duration {
	t.Helper()
	began := time.Now()
	for _, e := range r.store.manifest.Tensors {
		for p, err := range r.Parts(t.Context(), e.Name) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(nanosecondsPerByte * float64(len(p.Data))))
		}
	}
	return time.Since(began)
}

// A pass takes as long as reading or computing alone, whichever is longer, however much is pinned. A head that is kept in memory adds
// its own computing to the time of reading: no memory is left then to read into. The clock is simulated, so that nothing else counts.
func TestPassTakesTheLongerOfReadingAndComputing(t *testing.T) {
	const perByte = 100 * time.Nanosecond // of reading
	for _, pinned := range []int64{0, 25, 50, 75} {
		for _, balance := range []float64{0.5, 1, 2} { // time of computing over time of reading
			for _, headOnce := range []bool{true, false} {
				if testing.Short() && (balance != 1 || pinned == 0) {
					continue
				}
				synctest.Test(t, func(t *testing.T) {
					s := miniature(t, &evenFile{perByte: perByte})
					all := s.Bytes()
					r, err := s.Stream(t.Context(), StreamOptions{
						DRAM: all*pinned/100 + miniRing, Ring: miniRing, ReadSize: miniSegment / 2, HeadOnce: headOnce,
					})
					if err != nil {
						t.Fatal(err)
					}
					defer r.Close()
					miniPass(t, r, 0) // loads what is pinned
					read := miniPass(t, r, 0)
					perByte := balance * float64(read) / float64(all)
					compute := time.Duration(perByte * float64(all))
					miniPass(t, r, perByte)
					want := max(read, compute)
					if r.Plan().HeadPinned {
						want = max(want, read+compute*miniHeadSegments/(miniBlocks*miniBlockSegments+miniHeadSegments))
					}
					if both := miniPass(t, r, perByte); both < want*99/100 || both > want*102/100 {
						t.Errorf("%d %% pinned, head once: %t: %v to read, %v to compute, %v for both, not %v", pinned, headOnce, read, compute, both, want)
					}
				})
			}
		}
	}
}

// sharedFile reads zeros at one speed, of which reads that are under way at once have equal parts.
type sharedFile struct{ evenFile }

func (f *sharedFile) ReadAt(p []byte, off int64) (int, error) {
	for part := range slices.Chunk(p, 16<<10) {
		if _, err := f.evenFile.ReadAt(part, off); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Of experts that are not in memory, one is computed while the next is read, so that a layer takes no longer than its reads and computing the last.
func TestExpertsAreComputedAsTheyArrive(t *testing.T) {
	const (
		experts, chosen = 16, 4
		size            = 1 << 20
		perByte         = time.Nanosecond // of reading
	)
	synctest.Test(t, func(t *testing.T) {
		m := &manifest{}
		m.addZeros("norm", 1)
		chunk := zeros(len(m.Chunks), experts, size)
		for i := range experts {
			chunk.Segments[i].Expert = true
			m.Tensors = append(m.Tensors, tensorEntry{
				Name: fmt.Sprint("expert.", i), Type: tensor.F32.String(), Rows: tensor.TileRows, Cols: size / tensor.TileRows / 4, dtype: tensor.F32,
				Parts: []partEntry{{Chunk: len(m.Chunks), Segment: i, Rows: tensor.TileRows}},
			})
		}
		m.Chunks = append(m.Chunks, chunk)
		m.addZeros(headName, 1)
		s := miniStore(t, m, &sharedFile{evenFile{perByte: perByte}})
		r, err := s.Stream(t.Context(), StreamOptions{DRAM: 5*size + miniRing})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		use := func(name string, compute time.Duration) {
			for _, err := range r.Parts(t.Context(), name) {
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(compute)
			}
		}
		for pass := range 8 {
			use("norm", 0)
			var names []string
			for i := range chosen {
				names = append(names, fmt.Sprint("expert.", (chosen*pass+i)%experts))
			}
			began := time.Now()
			r.Prefetch(names)
			for _, name := range names {
				use(name, size*perByte)
			}
			if took, most := time.Since(began), (chosen+1)*size*perByte*21/20; took > most {
				t.Errorf("pass %d: %d experts took %v, which is more than %v", pass, chosen, took, most)
			}
			use(headName, 0)
		}
	})
}
