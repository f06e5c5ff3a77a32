package flash

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/weights"
)

// Options say what [Run] measures. Model must be set.
type Options struct {
	Model    string        // a store
	Duration time.Duration // of all reads by size and number together; if zero, 30 s
	Passes   int           // for each part in memory; if zero, 5
	// Progress, if not nil, is called with the number of steps done.
	Progress func(done, total int)
}

// shares are the parts of a pass in memory.
var shares = []float64{0, 0.25, 0.5, 0.75, 0.9}

// Run measures.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	if o.Model == "" || o.Passes < 0 {
		return nil, fmt.Errorf("flash: model %q, %s", o.Model, plural.Of(o.Passes, "pass"))
	}
	if o.Passes == 0 {
		o.Passes = 5
	}
	out := report.New("flash", "Reading from flash")
	began := time.Now()
	step := func(done int) {
		if o.Progress != nil {
			o.Progress(done, 1+len(shares))
		}
	}
	store, err := weights.Open(ctx, o.Model, weights.OpenOptions{})
	if err != nil {
		return nil, fmt.Errorf("flash: %w", err)
	}
	p, err := profile.Measure(ctx, profile.Options{Dir: filepath.Dir(store.Dir()), Duration: o.Duration})
	if err != nil {
		return nil, fmt.Errorf("flash: %w", err)
	}
	step(1)
	out.Set("model", filepath.Base(store.Dir()))
	out.Set("reads are", p.Flash.Mode)
	best := p.Flash.Best()
	presentReads(out, &p.Flash)
	t := out.AddTable("Streamed passes, nothing computed", report.Number("in memory %", 0), report.Number("MB read", 0), report.Number("s/pass", 3),
		report.Number("MB/s", 0), report.Number("of best reads %", 0))
	passes := out.AddPlot(report.Plot{Name: "passes", Title: "Seconds of a streamed pass by the part in memory", X: "% in memory", Y: "seconds"})
	measured, bound := report.Series{Name: "measured"}, report.Series{Name: "bytes ÷ best reads", Dashed: true}
	for i, share := range shares {
		plan, seconds, err := streamed(ctx, store, share, best, o.Passes)
		if err != nil {
			return nil, fmt.Errorf("flash: %.0f%% in memory: %w", 100*share, err)
		}
		rate := float64(plan.Streamed) / seconds
		inMemory := 100 * (1 - float64(plan.Streamed)/float64(plan.Pass))
		t.Add(inMemory, float64(plan.Streamed)/1e6, seconds, rate/1e6, 100*rate/best.BytesPerSecond)
		measured.X, measured.Y = append(measured.X, inMemory), append(measured.Y, seconds)
		bound.X, bound.Y = append(bound.X, inMemory), append(bound.Y, float64(plan.Streamed)/best.BytesPerSecond)
		step(2 + i)
	}
	passes.Add(measured)
	passes.Add(bound)
	out.Find("the best reads are of %d KiB, %d at once: %.0f MB/s", best.Size>>10, best.Depth, best.BytesPerSecond/1e6)
	out.Find("a streamed pass with nothing in memory takes %.2f times as long as its bytes at that rate", measured.Y[0]/bound.Y[0])
	out.End(began)
	return out, nil
}

// presentReads adds bandwidth by size and depth.
func presentReads(out *report.Report, f *profile.Flash) {
	var depths []int
	var sizes []int64
	for _, r := range f.Reads {
		if !slices.Contains(depths, r.Depth) {
			depths = append(depths, r.Depth)
		}
		if !slices.Contains(sizes, r.Size) {
			sizes = append(sizes, r.Size)
		}
	}
	columns := []report.Column{report.Number("KiB of a read", 0)}
	plot := out.AddPlot(report.Plot{Name: "bandwidth", Title: "Bandwidth by the size of a read and the number of reads at once", X: "bytes of a read", Y: "MB/s", LogX: true})
	for _, d := range depths {
		name := fmt.Sprintf("%d at once", d)
		columns = append(columns, report.Number(name+": MB/s", 0))
		s := report.Series{Name: name}
		for _, r := range f.Reads {
			if r.Depth == d {
				s.X, s.Y = append(s.X, float64(r.Size)), append(s.Y, r.BytesPerSecond/1e6)
			}
		}
		plot.Add(s)
	}
	t := out.AddTable("Reads past the page cache, by size and number at once", columns...)
	for _, size := range sizes {
		cells := []any{float64(size) / 1024}
		for _, r := range f.Reads { // depths ascend within a size
			if r.Size == size {
				cells = append(cells, r.BytesPerSecond/1e6)
			}
		}
		t.Add(cells...)
	}
}

// streamed returns how memory for a part of the weights is used, and the median seconds of passes that read the rest as is best.
func streamed(ctx context.Context, store *weights.Store, share float64, best profile.Reads, passes int) (plan weights.Plan, seconds float64, err error) {
	options := weights.StreamOptions{DRAM: int64(share * float64(store.Bytes())), ReadSize: int(best.Size), Depth: best.Depth}
	if options.DRAM == 0 { // the usual ring would hold all of a small model, of which nothing would then be read
		options.Ring = min(64<<20, store.Bytes()/4)
	}
	s, err := store.Stream(ctx, options)
	if err != nil {
		return plan, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	plan = s.Plan()
	names, err := inOrder(store)
	if err != nil {
		return plan, 0, err
	}
	var times []float64
	for i := range passes + 1 {
		began := time.Now()
		for _, name := range names {
			for _, err := range s.Parts(ctx, name) {
				if err != nil {
					return plan, 0, err
				}
			}
		}
		if i > 0 { // the first begins with an empty ring
			times = append(times, time.Since(began).Seconds())
		}
	}
	return plan, bench.Median(times), nil
}

// inOrder returns the tensors that a pass reads as a whole: all but the embedding, unless it is the head.
func inOrder(store *weights.Store) (names []string, err error) {
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		return nil, err
	}
	head := "embedding"
	for _, t := range info.Tensors {
		switch {
		case t.Name == "head":
			head = t.Name
		case t.Name != "embedding" && (strings.HasPrefix(t.Name, "block.") || t.Name == "final_norm"):
			names = append(names, t.Name)
		}
	}
	return append(names, head), nil
}
