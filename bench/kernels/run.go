package kernels

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Options say what [Run] measures.
type Options struct {
	Kernels  []string        // sets; if nil, all that there are
	Models   []inflate.Shape // if nil, Llama-3.1-8B, Llama-3.2-1B and the demo's target
	Threads  int             // that multiply and attend; if zero, one per performance core
	Short    bool            // one matrix of each model and one length of text
	Duration time.Duration   // of each measurement; if zero, 40 ms
	Memory   int             // bytes that are read, and that weights, keys and values are taken from in turn; if zero, 256 MiB
	// Progress, if not nil, is called with the number of measurements done.
	Progress func(done, total int)
}

// demo is the shape of the embedded target.
var demo = inflate.Shape{Name: "demo", Width: 384, Layers: 8, Heads: 3, KVHeads: 1, HeadDim: 128, FFN: 1024, Vocab: 4096}

var (
	types   = tensor.PackableTypes()
	batches = []int{1, 4, 8, 16, 32, 64}
)

// withDefaults returns o with what it leaves open.
func (o Options) withDefaults() (Options, error) {
	if o.Threads < 0 || o.Duration < 0 || o.Memory < 0 {
		return o, fmt.Errorf("kernels: %d threads, %v, %d bytes", o.Threads, o.Duration, o.Memory)
	}
	if o.Kernels == nil {
		o.Kernels = kernels.Sets()
	}
	for _, set := range o.Kernels {
		if !slices.Contains(kernels.Sets(), set) {
			return o, fmt.Errorf("kernels: no kernel set %q on this processor (choose from %s)", set, strings.Join(kernels.Sets(), ", "))
		}
	}
	if o.Models == nil {
		for _, name := range []string{"llama-3.1-8b", "llama-3.2-1b"} {
			s, err := inflate.ShapeOf(name)
			if err != nil {
				return o, fmt.Errorf("kernels: %w", err)
			}
			o.Models = append(o.Models, s)
		}
		o.Models = append(o.Models, demo)
	}
	if o.Duration == 0 {
		o.Duration = 40 * time.Millisecond
	}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	return o, nil
}

// Bounds of a [Result].
const (
	byMemory     = "memory"
	byArithmetic = "arithmetic"
	byMoving     = "caches"
)

// Result is one measurement, or, with no seconds, one that was left out.
type Result struct {
	Kernels string  `json:"kernels"`
	Model   string  `json:"model"`
	Op      string  `json:"op"`             // "matmul", "attention", or what the exported function is called
	Type    string  `json:"type,omitempty"` // of weights
	Shape   string  `json:"shape"`
	Rows    int     `json:"rows"` // of activations
	Seconds float64 `json:"seconds,omitempty"`
	Bytes   int     `json:"bytes"` // of weights, keys and values that are read; of rows that are read and written
	MACs    int     `json:"multiply_accumulates,omitempty"`
	Bound   string  `json:"bound,omitempty"` // what bounds it: memory, arithmetic, or moving bytes in the caches
	Share   float64 `json:"share,omitempty"` // of the bound: its time ÷ that of the operation
}

// Peak is the best rate of a product that was measured of a set, in multiply-accumulates a second.
type Peak struct {
	Kernels string  `json:"kernels"`
	Int8    float64 `json:"int8"` // of quantised weights
	F16     float64 `json:"f16"`  // of F16 weights
}

// of returns the peak for weights, keys or values of type d.
func (p *Peak) of(d tensor.DType) *float64 {
	if d.Quantized() {
		return &p.Int8
	}
	return &p.F16
}

// Data is what the report holds beside its tables.
type Data struct {
	Threads int       `json:"threads"`
	Memory  float64   `json:"memory_bytes_per_second"` // read by all threads: the median of Reads
	Reads   []float64 `json:"reads"`                   // measured between the products
	Peaks   []Peak    `json:"peaks"`
	Results []Result  `json:"results"`
}

// Run measures.
func Run(ctx context.Context, o Options) (_ *report.Report, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	out := report.New("kernels", "Kernels and what bounds them")
	began := time.Now()
	m := &meter{Options: o, ctx: ctx, pool: kernels.NewPool(o.Threads), rng: rand.New(rand.NewPCG(1, 2))}
	defer m.pool.Close()
	if err := m.all(); err != nil {
		return nil, fmt.Errorf("kernels: %w", err)
	}
	present(out, m)
	out.End(began)
	return out, nil
}

// meter takes the time of operations.
type meter struct {
	Options
	ctx         context.Context // of the one Run that the meter serves
	pool        *kernels.Pool
	rng         *rand.Rand
	data        Data
	done, steps int // measurements
	next        int // of the matrices, or of the caches, in memory that are used in turn
}

func (m *meter) all() error {
	m.steps, m.data.Threads = m.total(), m.pool.Workers()
	for _, set := range m.Kernels {
		m.data.Peaks = append(m.data.Peaks, Peak{Kernels: set})
	}
	for _, part := range []func() error{m.products, m.attention, m.rows} {
		if err := part(); err != nil {
			return err
		}
	}
	m.data.Memory = bench.Median(m.data.Reads)
	for i := range m.data.Results {
		m.bind(&m.data.Results[i])
	}
	return nil
}

// eachSet calls f with each set, which the pool uses meanwhile.
func (m *meter) eachSet(f func(set string, p *Peak) error) error {
	for i, name := range m.Kernels {
		set, err := kernels.Named(name)
		if err := errors.Join(m.ctx.Err(), err); err != nil {
			return err
		}
		m.pool.Use(set)
		if err := f(name, &m.data.Peaks[i]); err != nil {
			return err
		}
	}
	return nil
}

// add keeps a result.
func (m *meter) add(r Result) {
	m.data.Results = append(m.data.Results, r)
	m.done++
	if m.Progress != nil {
		m.Progress(m.done, m.steps)
	}
}

// bind completes a product or attention: peaks are known when all products were measured.
func (m *meter) bind(r *Result) {
	if r.MACs == 0 || r.Seconds == 0 {
		return
	}
	i := slices.IndexFunc(m.data.Peaks, func(p Peak) bool { return p.Kernels == r.Kernels })
	d, err := tensor.ParseDType(r.Type)
	if err != nil {
		return // not a type that this package names
	}
	moving, computing := float64(r.Bytes)/m.data.Memory, float64(r.MACs) / *m.data.Peaks[i].of(d)
	r.Bound = byMemory
	if computing > moving {
		r.Bound = byArithmetic
	}
	r.Share = max(moving, computing) / r.Seconds
}

const (
	leastRounds = 3
	leastRound  = 100 * time.Microsecond // so that reading the clock takes nothing
)

// seconds returns what a call of f takes: the lower quartile of rounds, since what else the machine does makes times longer, never shorter.
func (m *meter) seconds(f func()) float64 {
	round := func(calls int) time.Duration {
		began := time.Now()
		for range calls {
			f()
		}
		return time.Since(began)
	}
	calls := 1 // the first warms up
	for round(calls) < leastRound {
		calls *= 2
	}
	var times []float64
	for began := time.Now(); len(times) < leastRounds || time.Since(began) < m.Duration; {
		times = append(times, round(calls).Seconds()/float64(calls))
	}
	return bench.Quantile(times, 0.25)
}
