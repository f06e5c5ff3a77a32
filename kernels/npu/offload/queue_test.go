package offload_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/host"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is the host with an error for some calls, and perhaps another rounding.
type faulty struct {
	npu.Device
	rounding npu.Rounding
	submit   func() error
}

func (f *faulty) Capabilities() npu.Capabilities {
	c := f.Device.Capabilities()
	c.Rounding = f.rounding
	return c
}

func (f *faulty) Compile(product npu.Product, batch int) (npu.Program, error) {
	p, err := f.Device.Compile(product, batch)
	return &faultyProgram{p, f}, err
}

type faultyProgram struct {
	npu.Program
	device *faulty
}

func (p *faultyProgram) Submit(ctx context.Context, rows int, o npu.Operands) (npu.Event, error) {
	if err := p.device.submit(); err != nil {
		return nil, err
	}
	return p.Program.Submit(ctx, rows, o)
}

func newFaulty(rounding npu.Rounding, submit func() error) *faulty {
	return &faulty{Device: host.New(), rounding: rounding, submit: submit}
}

// queue returns a queue on a device that is, by its costs, twice as fast as the CPU with 8 rows or more, and half as fast with fewer.
func queue(t *testing.T, d npu.Device, o offload.QueueOptions) (*offload.Scheduler, *offload.Queue) {
	t.Helper()
	s := offload.New(d)
	cpu := npu.Costs{Rates: rates("q8_0", []int{1, 8, 128}, 1e9, 1e9, 1e9)}
	device := npu.Costs{Rates: rates("q8_0", npu.DefaultBatches, 5e8, 5e8, 5e8, 2e9, 2e9, 2e9, 2e9, 2e9)}
	if err := s.Prepare(t.Context(), nil, nil, cpu, device); err != nil {
		t.Fatal(err)
	}
	q := s.NewQueue(o)
	t.Cleanup(func() {
		q.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, q
}

func matrix(t *testing.T, rows, cols int) tensor.Packed {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	plain := make([]byte, rows*tensor.Q8_0.RowBytes(cols))
	p := tensor.Packed{Type: tensor.Q8_0, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, rows, cols))}
	if err := errors.Join(tensor.Encode(plain, values, tensor.Q8_0), tensor.Pack(p.Data, plain, tensor.Q8_0, rows, cols)); err != nil {
		t.Fatal(err)
	}
	return p
}

// multiply computes W·x part by part, as a layer does, and compares it with the CPU.
func multiply(t *testing.T, q *offload.Queue, n int) {
	t.Helper()
	multiplyRows(t, q, n, 0)
}

// multiplyRows does so with rows that depend on shift.
func multiplyRows(t *testing.T, q *offload.Queue, n, shift int) {
	t.Helper()
	w := matrix(t, 160, 64)
	x := make([]float32, n*64)
	for i := range x {
		x[i] = float32((i+shift)%13) - 6
	}
	var in kernels.Input
	in.Reset(x, n, 64)
	want, got := make([]float32, n*160), make([]float32, n*160)
	kernels.MatMul(nil, want, 160, w, &in)
	var leases atomic.Int32
	for row := 0; row < 160; row += 32 {
		part := w.Slice(row, row+32)
		leases.Add(1)
		if !q.Multiply(got, 160, part, &in, func() { leases.Add(-1) }) {
			kernels.MatMul(nil, got, 160, part, &in)
		}
	}
	q.Finish()
	if left := leases.Load(); left != 0 {
		t.Errorf("%d parts were not given back, or some more than once", left)
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%d rows: value %d is %v, want %v", n, i, got[i], want[i])
		}
	}
}

func TestMultiply(t *testing.T) {
	scheduler, q := queue(t, newFaulty(npu.RoundingExact, func() error { return nil }), offload.QueueOptions{Blocks: offload.NPU})
	for _, n := range []int{1, 3, 128, 129, 300, 2} {
		multiply(t, q, n)
	}
	if s := scheduler.Stats(); s.Fallbacks != 0 || s.Products != 5*(4+2+3) || s.Rows != 5*(1+3+128+129+300+2) {
		t.Errorf("stats %+v", s)
	}
}

func TestTakes(t *testing.T) {
	const bytes = 1 << 20
	for _, test := range []struct {
		name         string
		rounding     npu.Rounding
		loose        bool
		place        offload.Place
		dtype        tensor.DType
		few, many    bool
		wantFallback bool
	}{
		{"exact", npu.RoundingExact, false, offload.Auto, tensor.Q8_0, false, true, false},
		{"exact, forced to the NPU", npu.RoundingExact, false, offload.NPU, tensor.Q8_0, true, true, false},
		{"exact, forced to the CPU", npu.RoundingExact, false, offload.CPU, tensor.Q8_0, false, false, false},
		{"a type that the device lacks", npu.RoundingExact, false, offload.Auto, tensor.Q4_0, false, false, false},
		{"such a type, forced", npu.RoundingExact, false, offload.NPU, tensor.Q4_0, false, false, true},
		{"a rounding of its own: all in one place", npu.RoundingOwn, false, offload.Auto, tensor.Q8_0, true, true, false},
		{"a rounding of its own, for a draft", npu.RoundingOwn, true, offload.Auto, tensor.Q8_0, false, true, false},
	} {
		scheduler, q := queue(t, newFaulty(test.rounding, func() error { return nil }), offload.QueueOptions{Blocks: test.place, Head: offload.NPU, Loose: test.loose})
		if few, many := q.Takes(false, test.dtype, bytes, 2), q.Takes(false, test.dtype, bytes, 32); few != test.few || many != test.many {
			t.Errorf("%s: %v with few rows, %v with many", test.name, few, many)
		}
		if test.dtype == tensor.Q8_0 && !q.Takes(true, test.dtype, bytes, 2) {
			t.Errorf("%s: the head is not taken", test.name)
		}
		if s := scheduler.Stats(); (s.Fallbacks > 0) != test.wantFallback {
			t.Errorf("%s: %d fallbacks", test.name, s.Fallbacks)
		}
	}
}

func TestLostSession(t *testing.T) {
	calls := 0
	scheduler, q := queue(t, newFaulty(npu.RoundingExact, func() error {
		if calls++; calls > 3 {
			return npu.ErrLost
		}
		return nil
	}), offload.QueueOptions{Blocks: offload.NPU})
	multiply(t, q, 130)
	multiply(t, q, 1)
	if s := scheduler.Stats(); !s.Lost || s.Fallbacks == 0 || s.Products != 3 {
		t.Errorf("stats %+v", s)
	}
	if q.Takes(false, tensor.Q8_0, 1, 1) {
		t.Error("a lost device takes work")
	}
}

// A batch whose submit fails has not been seen by the device, which therefore must not use what it made of the rows before.
func TestRowsOfFailedSubmitsAreNew(t *testing.T) {
	calls := 0
	_, q := queue(t, newFaulty(npu.RoundingExact, func() error {
		// After five products of two batches come those of other rows: of the first no batch is submitted, and of the second only the last.
		if calls++; calls > 10 && calls <= 13 {
			return npu.ErrUnsupported
		}
		return nil
	}), offload.QueueOptions{Blocks: offload.NPU})
	multiplyRows(t, q, 256, 0)
	multiplyRows(t, q, 256, 5)
}

func TestOutOfMemoryIsLeftAloneForAWhile(t *testing.T) {
	fail := true
	scheduler, q := queue(t, newFaulty(npu.RoundingExact, func() error {
		if fail {
			return npu.ErrOutOfMemory
		}
		return nil
	}), offload.QueueOptions{Blocks: offload.NPU})
	multiply(t, q, 4)
	fail = false
	refused := 0
	for !q.Takes(false, tensor.Q8_0, 1, 1) {
		if refused++; refused > 1<<16 {
			t.Fatal("the device is never tried again")
		}
	}
	if refused < 32 {
		t.Errorf("tried again after %d products", refused)
	}
	multiply(t, q, 4)
	if s := scheduler.Stats(); s.Lost || s.Products != 5 {
		t.Errorf("stats %+v", s)
	}
}

func TestMeasure(t *testing.T) {
	d := host.New()
	defer d.Close()
	types := []tensor.DType{tensor.Q8_0, tensor.F16}
	device, err := offload.MeasureDevice(t.Context(), d, types, 1)
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := offload.MeasureCPU(t.Context(), nil, types, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]npu.Costs{"device": device, "CPU": cpu} {
		if err := c.Check(); err != nil || len(c.Of(tensor.Q8_0)) != len(npu.DefaultBatches) {
			t.Errorf("%s: %v: %+v", name, err, c)
		}
	}
	if device.Submit <= 0 {
		t.Errorf("a submit takes %v", device.Submit)
	}
	if _, err := offload.MeasureDevice(t.Context(), d, []tensor.DType{tensor.F32}, 1); !errors.Is(err, npu.ErrUnsupported) {
		t.Errorf("a type that no device has: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := offload.MeasureCPU(cancelled, nil, types, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkTakes is one decision; a pass makes four in each block.
func BenchmarkTakes(b *testing.B) {
	s := offload.New(host.New())
	defer s.Close()
	cpu, device := npu.Costs{Rates: rates("q8_0", []int{1}, 1e9)}, npu.Costs{Rates: rates("q8_0", []int{32}, 2e9)}
	if err := s.Prepare(b.Context(), nil, nil, cpu, device); err != nil {
		b.Fatal(err)
	}
	q := s.NewQueue(offload.QueueOptions{})
	defer q.Close()
	for b.Loop() {
		q.Takes(false, tensor.Q8_0, 4<<20, 16)
	}
}
