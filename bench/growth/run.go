package growth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/layers"
)

// Options say what [Run] measures. Model, Draft and Flash must be set.
type Options struct {
	Model, Draft string
	Also         []string // more models for the curve by size
	Threads      int      // of all curves but that by threads; if zero, one per performance core
	Context      int      // tokens of the longest text; if zero, what the model was made for, at most 8192
	// Duration is the time for each point, if that is enough for a few passes; if zero, 1 s.
	Duration time.Duration
	// Flash is the device that is simulated.
	Flash *flashsim.Profile
	// PassBytes is what the bytes of a pass count for on the device where nothing is in memory, if they are fewer; if zero, as many as they are.
	PassBytes int64
	// Progress, if not nil, is called with the number of points done.
	Progress func(done, total int)
}

func (o Options) check() error {
	switch {
	case o.Model == "" || o.Draft == "":
		return errors.New("a target and a draft model are needed")
	case o.Flash == nil:
		return errors.New("no flash profile")
	case min(o.Threads, o.Context) < 0 || o.Duration < 0 || o.PassBytes < 0:
		return errors.New("a negative option")
	}
	return nil
}

// Point is one measurement: a place on a curve, and the time of a pass there.
type Point struct {
	Curve  string  `json:"curve"` // context, budget, size, dram or threads
	X      float64 `json:"x"`     // tokens before, rows, bytes of a pass, part in memory, or threads
	Rows   int     `json:"rows"`  // of a pass
	Passes int     `json:"passes"`
	// Seconds is the median; a quarter of the passes took less than Low and a quarter more than High.
	Seconds float64 `json:"seconds"`
	Low     float64 `json:"low_seconds"`
	High    float64 `json:"high_seconds"`
}

// run is a measurement on its way.
type run struct {
	Options
	out    *report.Report
	points []Point
	total  int // points
}

// Run measures.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("growth: %w", err)
	}
	if o.Duration == 0 {
		o.Duration = time.Second
	}
	r := &run{Options: o, out: report.New("growth", "How cost grows")}
	began := time.Now()
	r.out.Set("models", filepath.Base(o.Model)+", "+filepath.Base(o.Draft))
	for _, curves := range []func(context.Context) error{r.inMemory, r.size, r.threads, r.dram} {
		if err := curves(ctx); err != nil {
			return nil, fmt.Errorf("growth: %w", err)
		}
	}
	r.out.Data = r.points
	r.out.End(began)
	return r.out, nil
}

// inMemory measures the curves for which the target is loaded once: context and budget.
func (r *run) inMemory(ctx context.Context) error {
	cfg := lever.Config{Model: r.Model, Threads: r.Threads, Context: r.Context}
	return withModel(ctx, cfg, func(e *lever.Engine) error {
		d := e.Target()
		if d.Context() < shortText+mostRows {
			return fmt.Errorf("a context of %d tokens; %d are needed", d.Context(), shortText+mostRows)
		}
		lengths := doublings(16, d.Context()-1)
		r.total = len(lengths) + len(rowCounts) + 2*(2+len(r.Also)) + 2*runtime.NumCPU() + len(shares)
		if err := r.context(ctx, d, lengths); err != nil {
			return err
		}
		return r.budget(ctx, d)
	})
}

// withModel opens a model for f.
func withModel(ctx context.Context, cfg lever.Config, f func(*lever.Engine) error) error {
	e, err := lever.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(f(e), e.Close())
}

// withShortText opens a model for f, with a short text before the passes.
func (r *run) withShortText(ctx context.Context, cfg lever.Config, f func(*lever.Engine) error) error {
	cfg.Context = shortText + mostRows
	return withModel(ctx, cfg, func(e *lever.Engine) error {
		if err := extend(ctx, e.Target(), shortText); err != nil {
			return err
		}
		return f(e)
	})
}

const (
	shortText   = 64 // tokens before the passes of all curves but that by context
	mostRows    = 64
	someRows    = 16  // of a tree, where a curve shows passes of one row and of a tree
	leastPasses = 3   // of a point
	maxBatch    = 128 // tokens that are taken in at once
)

// doublings returns first, twice that and so on below last, and last.
func doublings(first, last int) (all []int) {
	for n := first; n < last; n *= 2 {
		all = append(all, n)
	}
	return append(all, last)
}

// token returns the token that stands at a place of a text or tree.
func token(d *layers.Decoder, i int) int32 { return int32((31*i + 7) % d.Vocab()) }

// extend takes in tokens until the text has length of them.
func extend(ctx context.Context, d *layers.Decoder, length int) error {
	for d.Len() < length {
		var tokens []int32
		var path []int
		for i := range min(maxBatch, length-d.Len()) {
			tokens, path = append(tokens, token(d, d.Len()+i)), append(path, i)
		}
		if _, err := d.Forward(ctx, layers.Batch{Tokens: tokens}); err != nil {
			return err
		}
		if err := d.Commit(path); err != nil {
			return err
		}
	}
	return nil
}

// measure takes the time of passes over a binary tree of rows after the text, which stays as it is, and notes the point x of a curve.
func (r *run) measure(ctx context.Context, d *layers.Decoder, curve string, x float64, rows int) (Point, error) {
	var b layers.Batch
	for i := range rows {
		b.Tokens, b.Parents = append(b.Tokens, token(d, i)), append(b.Parents, int32(i+1)/2-1)
	}
	logits := make([]float32, d.Vocab())
	pass := func() error {
		if _, err := d.Forward(ctx, b); err != nil {
			return err
		}
		if err := d.Project(ctx, logits, []int{0}); err != nil {
			return err
		}
		return d.Commit(nil)
	}
	if err := pass(); err != nil { // warms up
		return Point{}, err
	}
	var times []float64
	for began := time.Now(); len(times) < leastPasses || time.Since(began) < r.Duration; {
		start := time.Now()
		if err := pass(); err != nil {
			return Point{}, err
		}
		times = append(times, time.Since(start).Seconds())
	}
	p := Point{
		Curve: curve, X: x, Rows: rows, Passes: len(times),
		Seconds: bench.Median(times), Low: bench.Quantile(times, 0.25), High: bench.Quantile(times, 0.75),
	}
	r.points = append(r.points, p)
	if r.Progress != nil {
		r.Progress(len(r.points), r.total)
	}
	return p, nil
}
