package layers_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/host"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/kernels/npu/sim"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// evenCosts makes nothing faster on the device than on the CPU.
func evenCosts() npu.Costs {
	var c npu.Costs
	for _, d := range []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0} {
		for _, rows := range npu.DefaultBatches {
			c.Rates = append(c.Rates, npu.Rate{Type: d.String(), Rows: rows, BytesPerSecond: 1e9})
		}
	}
	return c
}

// newScheduler returns a scheduler for a device, with all costs known.
func newScheduler(t testing.TB, d npu.Device) *offload.Scheduler {
	t.Helper()
	s := offload.New(d)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Prepare(ctx, nil, nil, evenCosts(), npu.Costs{Rates: evenCosts().Rates}); err != nil {
		t.Fatal(err)
	}
	return s
}

// newQueue returns a queue that is closed before its scheduler.
func newQueue(t testing.TB, s *offload.Scheduler, blocks, head offload.Place) *offload.Queue {
	t.Helper()
	q := s.NewQueue(offload.QueueOptions{Blocks: blocks, Head: head})
	t.Cleanup(q.Close)
	return q
}

// A model computes the same bits wherever its products run, whether or not parts can be kept, alone, in trees and in batches that are larger
// than the device's.
func TestOffloadEqualsCPU(t *testing.T) {
	for _, qkNorm := range []bool{llama, qwen3} {
		for _, d := range []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0} {
			for _, keep := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v %v keep=%v", qkNorm, d, keep), func(t *testing.T) {
					cfg := small(qkNorm)
					var w layers.Weights = randomWeights(t, cfg, d)
					if !keep {
						w = struct{ layers.Weights }{w} // without Lease
					}
					scheduler := newScheduler(t, host.New())
					pool := kernels.NewPool(2)
					t.Cleanup(pool.Close)
					on := newDecoder(t, cfg, w, arch.Options{Pool: pool, MaxBatch: 200, Offloader: newQueue(t, scheduler, offload.NPU, offload.NPU)})
					off := newDecoder(t, cfg, w, arch.Options{MaxBatch: 200})
					prompt := make([]int32, 150) // more than the largest batch
					for i := range prompt {
						prompt[i] = int32(i*7) % 90
					}
					for _, dec := range []*layers.Decoder{on, off} {
						forward(t, dec, prompt, nil)
						commitAll(t, dec)
						forward(t, dec, []int32{1, 2, 3, 4, 5}, []int32{-1, 0, 0, 1, 3})
					}
					for row := range 5 {
						sameBits(t, fmt.Sprintf("row %d", row), logits(t, on, row), logits(t, off, row))
					}
					if s := scheduler.Stats(); s.Products == 0 || s.Fallbacks != 0 || s.Rows == 0 || s.Seconds <= 0 {
						t.Errorf("stats %+v", s)
					}
				})
			}
		}
	}
}

// The head may run elsewhere than the blocks.
func TestOffloadPlaces(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.Q8_0)
	for _, test := range []struct {
		blocks, head offload.Place
		want         int64 // products of one row and its logits
	}{
		{offload.CPU, offload.CPU, 0}, {offload.CPU, offload.NPU, 1}, {offload.NPU, offload.CPU, 21}, {offload.NPU, offload.NPU, 22},
	} {
		scheduler := newScheduler(t, host.New())
		d := newDecoder(t, cfg, w, arch.Options{Offloader: newQueue(t, scheduler, test.blocks, test.head)})
		decode(t, d, 1)
		if s := scheduler.Stats(); s.Products != test.want {
			t.Errorf("blocks %v, head %v: %d products, want %d", test.blocks, test.head, s.Products, test.want)
		}
	}
}

// However often the device fails, the logits are those of the CPU.
func TestOffloadSurvivesFailures(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.Q4_0)
	profile, err := profiles.Load("mid-range")
	if err != nil {
		t.Fatal(err)
	}
	want := newDecoder(t, cfg, w, arch.Options{})
	var wants [][]float32
	for token := range int32(3) {
		wants = append(wants, decode(t, want, token))
	}
	failures, lost := 0, 0
	for seed := range uint64(40) {
		device, err := sim.New(sim.Options{Profile: profile, Virtual: true, FailEvery: 1 + int(seed*7)%150, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		scheduler := newScheduler(t, device)
		d := newDecoder(t, cfg, w, arch.Options{Offloader: newQueue(t, scheduler, offload.NPU, offload.NPU)})
		for token := range int32(3) {
			sameBits(t, fmt.Sprintf("seed %d, token %d", seed, token), decode(t, d, token), wants[token])
		}
		s := scheduler.Stats()
		if device.Failures() > 0 && s.Fallbacks == 0 {
			t.Errorf("seed %d: %d failures, stats %+v", seed, device.Failures(), s)
		}
		failures += device.Failures()
		if s.Lost {
			lost++
		}
	}
	if failures < 20 || lost == 0 {
		t.Errorf("only %d failures, %d sessions lost", failures, lost)
	}
}

// pieces is an offloader that notes the largest part that it gets, and computes every other one.
type pieces struct {
	pool          *kernels.Pool
	largest, rows int
	got           int
}

func (o *pieces) Takes(bool, tensor.DType, int, int) bool { return true }

func (o *pieces) Multiply(dst []float32, ldd int, p tensor.Packed, in *kernels.Input, release func()) bool {
	o.largest, o.rows, o.got = max(o.largest, len(p.Data)), max(o.rows, p.Rows), o.got+1
	if o.got%2 == 0 {
		kernels.MatMul(o.pool, dst, ldd, p, in)
	}
	release()
	return o.got%2 == 0
}

func (o *pieces) Finish() {}

// Of a matrix that lies in memory in one piece, an offloader gets as much at once as of one that is streamed.
func TestOffloadInPieces(t *testing.T) {
	const vocab = 1 << 17 // 8.5 MiB of head
	cfg := small(llama)
	cfg.Vocab = vocab
	w := randomWeights(t, cfg, tensor.Q8_0)
	pool := kernels.NewPool(1)
	defer pool.Close()
	o := &pieces{pool: pool}
	on, off := newDecoder(t, cfg, w, arch.Options{Offloader: o}), newDecoder(t, cfg, w, arch.Options{})
	for _, d := range []*layers.Decoder{on, off} {
		forward(t, d, []int32{1, 2}, nil)
	}
	o.got = 0
	for row := range 2 {
		sameBits(t, "logits", logits(t, on, row), logits(t, off, row))
	}
	if o.got != 4 || o.largest > 8<<20 || o.rows >= vocab {
		t.Errorf("two heads are computed in %d pieces, of up to %d bytes and %d rows", o.got, o.largest, o.rows)
	}
}
