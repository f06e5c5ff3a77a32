//go:build linux

package hexagon

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest"
	"github.com/lever-go/lever/kernels/npu/nputest"
	"github.com/lever-go/lever/tensor"
)

var deviceFiles = []string{"/dev/fastrpc-cdsp", "/dev/adsprpc-smd"}

// openWith opens a device on a kernel.
func openWith(t testing.TB, k *fastrpctest.Kernel) *Device {
	t.Helper()
	d, err := Open(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// nothingLeft reports what a kernel still holds.
func nothingLeft(t testing.TB, k *fastrpctest.Kernel) {
	t.Helper()
	if left := k.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestConformance(t *testing.T) {
	t.Run("reference", func(t *testing.T) {
		k := fastrpctest.New(deviceFiles[0], newReference())
		nputest.TestDevice(t, func() (npu.Device, error) { return Open(t.Context(), k) })
		nothingLeft(t, k)
	})
	t.Run("emulated", func(t *testing.T) {
		needEmulator(t)
		nputest.TestDevice(t, func() (npu.Device, error) {
			return Open(t.Context(), fastrpctest.New(deviceFiles[1], newEmulated(t)))
		})
	})
}

// generate writes a text with a model, all products of which run on a device if there is one. It calls begin, if not nil, once all is ready.
func generate(t testing.TB, model string, d *Device, tokens int, begin func()) lever.Result {
	t.Helper()
	return generateWith(t, lever.Config{Model: model}, d, tokens, begin)
}

func generateWith(t testing.TB, cfg lever.Config, d *Device, tokens int, begin func()) lever.Result {
	t.Helper()
	if d != nil {
		cfg.NPU = d
		cfg.NPUCosts = npu.Costs{Rates: []npu.Rate{{Type: "q8_0", Rows: 1, BytesPerSecond: 1e9}}} // so that they are not measured
		cfg.CPUCosts = cfg.NPUCosts
		var err error
		if cfg.Placement, err = lever.ParsePlacement("verify=npu,head=eager-npu"); err != nil {
			t.Fatal(err)
		}
	}
	engine, err := lever.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if begin != nil {
		begin()
	}
	result, err := engine.Generate(t.Context(), lever.Request{Prompt: "2 + 2 is", MaxTokens: tokens}, nil)
	if err := errors.Join(err, engine.Close()); err != nil {
		t.Fatal(err)
	}
	return result
}

// TestText writes a text with the module under emulation, behind all that lies between the engine and the DSP.
func TestText(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const tokens = 6
	want := generate(t, pair.Draft, nil, tokens, nil) // the small one
	k := fastrpctest.New(deviceFiles[1], newEmulated(t))
	got := generate(t, pair.Draft, openWith(t, k), tokens, nil)
	if !slices.Equal(got.TokenIDs, want.TokenIDs) {
		t.Errorf("%q, want %q", got.Text, want.Text)
	}
	if s := got.NPUStats; s == nil || s.Products == 0 || s.Fallbacks != 0 || s.Lost {
		t.Errorf("statistics %+v", s)
	}
	nothingLeft(t, k)
}

// TestTextWhatever writes a text on a DSP that computes the CPU's bits, and has calls of the kernel fail at different places.
func TestTextWhatever(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const tokens = 3
	want := generate(t, pair.Draft, nil, tokens, nil)
	lost, fellBack := 0, 0
	for at := 1; at < 300; at += 20 {
		made := atomic.Int64{}
		made.Store(-1 << 32)
		k := fastrpctest.New(deviceFiles[at%2], newReference())
		k.Fault = func(call string) error {
			if made.Add(1) == int64(at) {
				return []error{fastrpctest.ErrDead, syscall.ENOMEM}[at/20%2]
			}
			return nil
		}
		got := generate(t, pair.Draft, openWith(t, k), tokens, func() { made.Store(0) })
		if !slices.Equal(got.TokenIDs, want.TokenIDs) {
			t.Errorf("call %d fails: %q, want %q", at, got.Text, want.Text)
		}
		if got.NPUStats.Lost {
			lost++
		}
		if got.NPUStats.Fallbacks > 0 {
			fellBack++
		}
		nothingLeft(t, k)
	}
	t.Logf("%d sessions were lost, %d fell back", lost, fellBack)
	if lost == 0 || fellBack == 0 {
		t.Error("nothing failed")
	}
}

// ranged notes the ranges of messages that it is called for. It computes once it is released.
type ranged struct {
	*reference
	release chan struct{}
	noted   *sync.Map // [2]uint32
}

func (r ranged) Call(scalars uint32, in []byte) (fastrpc.Code, error) {
	<-r.release
	r.noted.Store([2]uint32{binary.LittleEndian.Uint32(in[8:]), binary.LittleEndian.Uint32(in[12:])}, true)
	return r.reference.Call(scalars, in)
}

// TestDependent submits products with the results of others, which parts of the DSP that do not wait for each other compute in calls of their own.
func TestDependent(t *testing.T) {
	processor := ranged{newReference(), make(chan struct{}), &sync.Map{}}
	k := fastrpctest.New(deviceFiles[0], processor)
	d := openWith(t, k)
	const n = 64
	var buffers [4]npu.Buffer
	for i := range buffers {
		var err error
		if buffers[i], err = d.Alloc(4 * n); err != nil {
			t.Fatal(err)
		}
	}
	p, err := d.Compile(npu.Product{Type: tensor.Q8_0, Rows: n, Cols: n}, 1)
	if err != nil {
		t.Fatal(err)
	}
	w := tensor.Packed{Type: tensor.Q8_0, Rows: n, Cols: n, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, n, n))}
	var events []npu.Event
	for _, o := range [][2]int{{0, 3}, {0, 2}, {0, 1}, {1, 3}, {0, 3}, {2, 0}} {
		e, err := p.Submit(t.Context(), 1, npu.Operands{W: w, X: buffers[o[0]], Y: buffers[o[1]]})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	close(processor.release)
	for _, e := range events {
		if err := e.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for r := range processor.noted.Range {
		from, to := r.([2]uint32)[0], r.([2]uint32)[1]
		for _, later := range []uint32{3, 4, 5} { // each depends on the one before it
			if from < later && later < to {
				t.Errorf("one call for %d..%d", from, to)
			}
		}
	}
	for _, b := range buffers {
		err = errors.Join(err, b.Free())
	}
	if err := errors.Join(err, p.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	nothingLeft(t, k)
}
