package lever_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/host"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/kernels/npu/sim"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/tensor"
)

func TestParsePlacement(t *testing.T) {
	for text, want := range map[string]lever.Placement{
		"draft=cpu":                                {Draft: offload.CPU},
		"verify=npu,draft=auto":                    {Verify: offload.NPU},
		"draft=cpu,verify=npu,head=eager-npu":      {Draft: offload.CPU, Verify: offload.NPU, Head: lever.HeadEagerNPU},
		"head=ondemand-npu":                        {Head: lever.HeadOnDemandNPU},
		"draft=npu,verify=cpu,head=ondemand-cpu":   {Draft: offload.NPU, Verify: offload.CPU, Head: lever.HeadOnDemandCPU},
		"draft=auto,verify=auto,head=auto":         {},
		"draft=cpu,draft=npu,head=auto,verify=cpu": {Draft: offload.NPU, Verify: offload.CPU},
	} {
		placement, err := lever.ParsePlacement(text)
		if err != nil || placement != want {
			t.Errorf("%s: %v, %v", text, placement, err)
		}
		if again, err := lever.ParsePlacement(placement.String()); err != nil || again != placement {
			t.Errorf("%v becomes %v, %v", placement, again, err)
		}
	}
	for _, text := range []string{"", "draft", "draft=gpu", "head=npu", "block=npu", "draft=cpu,,"} {
		if _, err := lever.ParsePlacement(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// The text is that of the CPU with every device and placement, resident and streamed, and the statistics say what ran where.
func TestNPUTextEqualsCPU(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	req := lever.Request{Prompt: "Tom has 4 boxes of 6 pens. How many pens does he have?", MaxTokens: 16}
	generate := func(t *testing.T, cfg lever.Config) lever.Result {
		engine := open(t, cfg)
		result, err := engine.Generate(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	want := generate(t, lever.Config{Model: pair.Target, Draft: pair.Draft})
	if want.NPUStats != nil {
		t.Errorf("statistics of a device without one: %+v", want.NPUStats)
	}
	for _, device := range []string{"host", "sim:mid-range"} {
		for i, places := range []string{"draft=auto", "draft=npu,verify=npu,head=eager-npu", "draft=cpu,verify=npu,head=ondemand-npu", "draft=npu,verify=cpu,head=ondemand-cpu"} {
			dram := int64(i%2) * 4 << 20
			t.Run(fmt.Sprintf("%s %s dram=%d", device, places, dram), func(t *testing.T) {
				d, err := npu.Open(t.Context(), device)
				if err != nil {
					t.Fatal(err)
				}
				placement, err := lever.ParsePlacement(places)
				if err != nil {
					t.Fatal(err)
				}
				got := generate(t, lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: dram, NPU: d, Placement: placement})
				if !slices.Equal(got.TokenIDs, want.TokenIDs) {
					t.Errorf("%q, want %q", got.Text, want.Text)
				}
				s := got.NPUStats
				if s == nil || s.Device == "" || s.Fallbacks != 0 || s.Lost {
					t.Fatalf("statistics %+v", s)
				}
				if placement.Verify == offload.NPU && (s.Rows == 0 || s.Seconds <= 0) {
					t.Errorf("nothing ran on the device: %+v", s)
				}
			})
		}
	}
}

// tinyModel returns random weights of a model of two layers.
func tinyModel(t testing.TB) (arch.Transformer, *layers.Memory) {
	t.Helper()
	cfg := arch.Transformer{
		Width: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 16, FFN: 96, Vocab: 80, MaxPositions: 256, NormEps: 1e-5,
		Rope: layers.Rope{Theta: 10000}, Tied: true,
	}
	rng := rand.New(rand.NewPCG(3, 4))
	w := &layers.Memory{}
	set := func(name string, d tensor.DType, rows, cols int, mean float64) {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(mean + rng.NormFloat64()/math.Sqrt(float64(cols)))
		}
		if err := w.SetMatrix(name, d, rows, cols, values); err != nil {
			t.Fatal(err)
		}
	}
	set("embedding", tensor.Q8_0, cfg.Vocab, cfg.Width, 0)
	for i := range cfg.Layers {
		for _, m := range []struct {
			name       string
			rows, cols int
		}{{"q", 64, 64}, {"k", 32, 64}, {"v", 32, 64}, {"o", 64, 64}, {"gate", 96, 64}, {"up", 96, 64}, {"down", 64, 96}} {
			set(fmt.Sprintf("block.%d.%s", i, m.name), tensor.Q8_0, m.rows, m.cols, 0)
		}
		set(fmt.Sprintf("block.%d.attn_norm", i), tensor.F32, 1, cfg.Width, 1)
		set(fmt.Sprintf("block.%d.mlp_norm", i), tensor.F32, 1, cfg.Width, 1)
	}
	set("final_norm", tensor.F32, 1, cfg.Width, 1)
	return cfg, w
}

// text generates 12 tokens with a chain of drafts, on a device if there is one.
func text(t testing.TB, cfg arch.Transformer, w layers.Weights, scheduler *offload.Scheduler) []int32 {
	t.Helper()
	var decoders [2]*layers.Decoder
	for i := range decoders {
		var options arch.Options
		if scheduler != nil {
			queue := scheduler.NewQueue(offload.QueueOptions{Blocks: offload.NPU, Head: offload.NPU, Loose: i == 1})
			defer queue.Close()
			options.Offloader = queue
		}
		d, err := cfg.Decoder(w, options)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		decoders[i] = d
	}
	policy, err := baseline.NewChain(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	g, err := spec.NewGenerator(spec.Options{Target: decoders[0], Draft: decoders[1], Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	result, err := g.Generate(context.Background(), spec.Request{Prompt: []int32{1, 2, 3, 4, 5, 6, 7}, MaxTokens: 12}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result.Tokens
}

// A thousand failures of a device, lost sessions and lack of memory at any call, change no text and leave nothing behind.
func TestNPUFailures(t *testing.T) {
	before := goleak.IgnoreCurrent()
	failures := 1000
	if testing.Short() {
		failures = 50
	}
	cfg, w := tinyModel(t)
	want := text(t, cfg, w, nil)
	profile, err := profiles.Load("mid-range")
	if err != nil {
		t.Fatal(err)
	}
	lost, seen, fallbacks := 0, 0, int64(0)
	for seed := uint64(0); seen < failures; seed++ {
		d, err := sim.New(sim.Options{Profile: profile, Virtual: true, FailEvery: 2 + int(seed*13)%200, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		scheduler := offload.New(d)
		if err := scheduler.Prepare(t.Context(), nil, nil, profile.CPU, npu.Costs{}); err != nil {
			t.Fatal(err)
		}
		if got := text(t, cfg, w, scheduler); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
		s := scheduler.Stats()
		if err := scheduler.Close(); err != nil {
			t.Fatal(err)
		}
		seen += d.Failures()
		fallbacks += s.Fallbacks
		if s.Lost {
			lost++
		}
	}
	t.Logf("%d failures, %d lost sessions, %d products on the CPU in place of the device", seen, lost, fallbacks)
	if lost == 0 || fallbacks < int64(seen) {
		t.Errorf("%d failures, but %d lost sessions and %d products on the CPU", seen, lost, fallbacks)
	}
	goleak.VerifyNone(t, before)
}

// BenchmarkScheduler reports the share of a pass that deciding what runs where takes: by how much the fastest pass is slower on an engine that
// decides, and then leaves everything to the CPU, than on one that has no device.
func BenchmarkScheduler(b *testing.B) {
	pair, err := demo.Unpack(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	never := npu.Costs{} // a device that takes a second for anything
	for _, rows := range npu.DefaultBatches {
		never.Rates = append(never.Rates, npu.Rate{Type: "q8_0", Rows: rows, BytesPerSecond: 1})
	}
	for _, rows := range []int{1, 16} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			var fastest [2]time.Duration
			var decoders [2]*layers.Decoder
			for i, device := range []npu.Device{nil, host.New()} {
				engine, err := lever.Open(b.Context(), lever.Config{Model: pair.Target, Threads: 1, NPU: device, NPUCosts: never})
				if err != nil {
					b.Fatal(err)
				}
				defer engine.Close()
				decoders[i], fastest[i] = engine.Target(), time.Hour
			}
			tokens := make([]int32, rows)
			for b.Loop() {
				for i, d := range decoders {
					began := time.Now()
					if _, err := d.Forward(b.Context(), layers.Batch{Tokens: tokens}); err != nil {
						b.Fatal(err)
					}
					fastest[i] = min(fastest[i], time.Since(began))
					if err := d.Commit(nil); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(100*(fastest[1].Seconds()/fastest[0].Seconds()-1), "overhead-%")
		})
	}
}
