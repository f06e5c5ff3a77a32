//go:build linux

package hexagon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/tensor"
)

// products computes some as the engine does: on a device if there is one, and on the CPU what that fails at.
func products(t testing.TB, d *Device) (offload.Stats, error) {
	t.Helper()
	scheduler := offload.New(d)
	costs := npu.Costs{Rates: []npu.Rate{{Type: "q8_0", Rows: 1, BytesPerSecond: 1e9}}}
	if err := scheduler.Prepare(t.Context(), nil, nil, costs, costs); err != nil {
		t.Fatal(err)
	}
	q := scheduler.NewQueue(offload.QueueOptions{Blocks: offload.NPU})
	rng := rand.New(rand.NewPCG(1, 2))
	const rows, cols, outputs = 3, 64, 90
	w := blocktest.Pack(blocktest.Random(rng, tensor.Q8_0, outputs, cols, func() float32 { return 0.01 }), tensor.Q8_0, outputs, cols)
	// Of the parts, the last lies where the DSP sees it, if there is such memory.
	held, err := d.AllocWeights(tensor.Q8_0, leastWeights)
	if err == nil {
		part := w.Slice(64, outputs)
		copy(held.Bytes(), part.Data)
		_ = held.Flush(0, len(part.Data)) // the driver remembers what fails
	}
	for range 2 {
		var in kernels.Input
		in.Reset(normal(rng, rows*cols), rows, cols)
		want, got := make([]float32, rows*outputs), make([]float32, rows*outputs)
		kernels.MatMul(nil, want, outputs, w, &in)
		for row := 0; row < outputs; row += 32 {
			part := w.Slice(row, min(row+32, outputs))
			if row == 64 && held != nil {
				part.Data = held.Bytes()[:len(part.Data)]
			}
			if !q.Takes(false, part.Type, len(part.Data), rows) || !q.Multiply(got, outputs, part, &in, nil) {
				kernels.MatMul(nil, got, outputs, part, &in)
			}
		}
		q.Finish()
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	q.Close()
	if held != nil {
		err = held.Free()
	} else {
		err = nil
	}
	return scheduler.Stats(), errors.Join(err, scheduler.Close())
}

// lazy computes some products and forgets the others.
type lazy struct {
	*reference
	forget func() bool
}

func (l lazy) Call(scalars uint32, in []byte) (fastrpc.Code, error) {
	if l.forget() {
		return 0, nil
	}
	return l.reference.Call(scalars, in)
}

// TestFailures has more than 1,000 calls fail: one of a session, or all from one on. Results are those of the CPU whatever happens, errors of
// opening say what they amount to, and nothing stays open.
func TestFailures(t *testing.T) {
	faults := []error{syscall.ENOMEM, syscall.EPIPE, syscall.EINVAL, syscall.EACCES, codeOf(0x402), codeOf(0x40d), codeOf(0x430), codeOf(0x777), fastrpctest.ErrDead}
	rng := rand.New(rand.NewPCG(3, 4))
	attempt := func(change func(k *fastrpctest.Kernel), limit time.Duration) (stats offload.Stats, calls int, err error) {
		t.Helper()
		var made atomic.Int32
		k := fastrpctest.New(deviceFiles[rng.IntN(2)], newReference())
		change(k)
		fault := k.Fault
		k.Fault = func(call string) error {
			made.Add(1)
			if fault == nil {
				return nil
			}
			return fault(call)
		}
		d, err := open(context.Background(), k, limit)
		if err == nil {
			stats, err = products(t, d)
		} else if !errors.Is(err, npu.ErrUnsupported) && !errors.Is(err, npu.ErrOutOfMemory) && !errors.Is(err, npu.ErrLost) {
			t.Errorf("%v: it is of no kind", err)
		}
		nothingLeft(t, k)
		k.Release()
		return stats, int(made.Load()), err
	}
	good, calls, err := attempt(func(*fastrpctest.Kernel) {}, fastrpc.CallLimit)
	if err != nil || good.Products != 6 || good.Fallbacks != 0 {
		t.Fatalf("%+v, %v", good, err)
	}
	failed, fellBack, sessions, enough := 0, 0, 650, int32(1000)
	if testing.Short() {
		sessions, enough = 60, 60
	}
	var injected atomic.Int32
	for i := range sessions {
		at, fault, always, limit := int32(rng.IntN(calls)), faults[i%len(faults)], rng.IntN(2) == 0, fastrpc.CallLimit
		if i%50 == 0 {
			fault, limit = fastrpctest.ErrHang, 5*time.Millisecond
		}
		stats, _, err := attempt(func(k *fastrpctest.Kernel) {
			var n atomic.Int32
			fails := func() bool {
				made := n.Add(1) - 1
				fail := made == at || always && made > at
				if fail {
					injected.Add(1)
				}
				return fail
			}
			switch i % 10 {
			case 1: // not the kernel, but the module
				at %= 6
				k.Processor = lazy{newReference(), fails}
			case 2: // no room
				k.Space = 4096 * (1 + rng.IntN(12))
			default:
				k.Fault = func(string) error {
					if fails() {
						return fault
					}
					return nil
				}
			}
		}, limit)
		if err != nil {
			failed++
		}
		if stats.Fallbacks > 0 {
			fellBack++
		}
	}
	t.Logf("%d calls failed in %d sessions, of which %d had errors and %d fell back to the CPU", injected.Load(), sessions, failed, fellBack)
	if injected.Load() < enough || failed < sessions/10 || fellBack < sessions/10 {
		t.Error("few failures were seen")
	}
}

func codeOf(offset uint32) error { return fastrpc.Code(0x80000000 + offset) }

// TestLost ends the process on the DSP while it computes: what waits ends, everything fails but giving back, and the error says so.
func TestLost(t *testing.T) {
	k := fastrpctest.New(deviceFiles[0], newReference())
	d := openWith(t, k)
	x, err := d.Alloc(4 * 64)
	if err != nil {
		t.Fatal(err)
	}
	y, err := d.Alloc(4 * 16)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Compile(npu.Product{Type: tensor.Q8_0, Rows: 16, Cols: 64}, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := npu.Operands{W: tensor.Packed{Type: tensor.Q8_0, Rows: 16, Cols: 64, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, 16, 64))}, X: x, Y: y}
	k.Fault = func(call string) error {
		if call == fmt.Sprintf("invoke %d.%d", 0x1234, runMethod) {
			return fastrpctest.ErrDead
		}
		return nil
	}
	e, err := p.Submit(t.Context(), 1, o)
	if err != nil {
		t.Fatal(err)
	}
	waited := e.Wait(t.Context())
	_, submitted := p.Submit(t.Context(), 1, o)
	_, compiled := d.Compile(npu.Product{Type: tensor.Q8_0, Rows: 16, Cols: 64}, 1)
	_, allocated := d.Alloc(10)
	for i, err := range []error{waited, submitted, compiled, allocated, x.Flush(0, 4), x.Invalidate(0, 4)} {
		if !errors.Is(err, npu.ErrLost) {
			t.Errorf("call %d on a lost device: %v", i, err)
		}
	}
	if err := errors.Join(p.Close(), x.Free(), y.Free(), d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	nothingLeft(t, k)
}
