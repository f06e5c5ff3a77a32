package sim_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/nputest"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/kernels/npu/sim"
	"github.com/lever-go/lever/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func profile(t testing.TB, name string) *profiles.Profile {
	t.Helper()
	p, err := profiles.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func device(t testing.TB, o sim.Options) *sim.Device {
	t.Helper()
	d, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestConformance(t *testing.T) {
	names := profiles.Names()
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			nputest.TestDevice(t, func() (npu.Device, error) { return npu.Open(t.Context(), "sim:"+name) })
		})
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := npu.Open(t.Context(), "sim:"+filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a profile that is not there")
	}
	if _, err := sim.New(sim.Options{}); err == nil {
		t.Error("no profile")
	}
}

func TestLimits(t *testing.T) {
	p := profile(t, "mid-range")
	d := device(t, sim.Options{Profile: p, Virtual: true})
	for name, test := range map[string]struct {
		rows, batch int
	}{"a batch that is not compiled": {64, 9}, "too many rows": {p.NPU.MaxRows + 16, 8}} {
		if _, err := d.Compile(npu.Product{Type: tensor.Q4_0, Rows: test.rows, Cols: 64}, test.batch); !errors.Is(err, npu.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var buffers []npu.Buffer
	for range p.NPU.MaxMemory / p.NPU.MaxBuffer {
		b, err := d.Alloc(int(p.NPU.MaxBuffer))
		if err != nil {
			t.Fatal(err)
		}
		buffers = append(buffers, b)
	}
	if _, err := d.Alloc(1); !errors.Is(err, npu.ErrOutOfMemory) {
		t.Errorf("a buffer beyond the session's memory: %v", err)
	}
	for _, b := range buffers {
		if err := b.Free(); err != nil {
			t.Error(err)
		}
	}
	b, err := d.Alloc(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Free(); err != nil {
		t.Error(err)
	}
}

// run submits a product n times and waits for all.
func run(t *testing.T, d *sim.Device, n int) {
	t.Helper()
	w := tensor.Packed{Type: tensor.Q4_0, Rows: 4096, Cols: 256}
	w.Data = make([]byte, tensor.PackedBytes(w.Type, w.Rows, w.Cols))
	p, err := d.Compile(npu.Product{Type: w.Type, Rows: w.Rows, Cols: w.Cols}, 1)
	if err != nil {
		t.Fatal(err)
	}
	x, err := d.Alloc(4 * w.Cols)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Free()
	y, err := d.Alloc(4 * w.Rows)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Free()
	for range n {
		e, err := p.Submit(t.Context(), 1, npu.Operands{W: w, X: x, Y: y})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}()
	}
}

// A simulated device is never faster than its profile.
func TestTime(t *testing.T) {
	p := *profile(t, "mid-range")
	p.NPU.Submit = 0.005
	p.NPU.Rates = nil
	for _, rows := range p.NPU.Batches {
		p.NPU.Rates = append(p.NPU.Rates, npu.Rate{Type: "q4_0", Rows: rows, BytesPerSecond: 4096 * 144 / 0.002}) // 2 ms for a product
	}
	d := device(t, sim.Options{Profile: &p})
	began := time.Now()
	run(t, d, 3)
	if took := time.Since(began); took < 11*time.Millisecond {
		t.Errorf("three products of 2 ms and one submit of 5 ms took %v", took)
	}
	if busy := d.Busy(); busy < 5900*time.Microsecond || busy > 6100*time.Microsecond {
		t.Errorf("busy for %v", busy)
	}
}

func TestFailures(t *testing.T) {
	lost, memory := 0, 0
	for seed := range uint64(40) {
		d := device(t, sim.Options{Profile: profile(t, "mid-range"), Virtual: true, FailEvery: 5, Seed: seed})
		var err error
		for err == nil {
			var b npu.Buffer
			if b, err = d.Alloc(64); err == nil {
				err = b.Free()
			}
		}
		switch {
		case errors.Is(err, npu.ErrLost):
			lost++
			if _, err := d.Compile(npu.Product{Type: tensor.Q4_0, Rows: 16, Cols: 32}, 1); !errors.Is(err, npu.ErrLost) {
				t.Errorf("seed %d: after the loss of the session: %v", seed, err)
			}
		case errors.Is(err, npu.ErrOutOfMemory):
			memory++
		default:
			t.Errorf("seed %d: %v", seed, err)
		}
		if d.Failures() == 0 {
			t.Errorf("seed %d: no failure was counted", seed)
		}
	}
	if lost == 0 || memory == 0 {
		t.Errorf("%d sessions lost, %d out of memory", lost, memory)
	}
}
