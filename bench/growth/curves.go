package growth

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/layers"
)

// rowCounts are those of trees.
var rowCounts = doublings(1, mostRows)

// shares are the parts of the target that memory is given for.
var shares = []float64{0.2, 0.4, 0.6, 0.8, 1}

const millisecond = 1e3 // in a second

// context measures tokens after texts of ascending lengths.
func (r *run) context(ctx context.Context, d *layers.Decoder, lengths []int) error {
	t := r.out.AddTable("Context: a token of plain decoding", report.Number("tokens before", 0), report.Number("ms/token", 3),
		report.Number("of the first", 2), report.Number("prompt s", 3))
	plot := r.out.AddPlot(report.Plot{Name: "context", Title: "A token of plain decoding by the length of the text", X: "tokens before", Y: "ms"})
	line := report.Series{Name: "one token"}
	prompt := 0.0
	for _, n := range lengths {
		began := time.Now()
		if err := extend(ctx, d, n); err != nil {
			return err
		}
		prompt += time.Since(began).Seconds()
		p, err := r.measure(ctx, d, "context", float64(n), 1)
		if err != nil {
			return err
		}
		line.X, line.Y = append(line.X, p.X), append(line.Y, millisecond*p.Seconds)
		t.Add(n, millisecond*p.Seconds, line.Y[len(line.Y)-1]/line.Y[0], prompt)
	}
	plot.Add(line)
	plot.Add(report.Law(line, "ms", "token"))
	first, last := 0, len(lengths)-1
	r.out.Find("context: a token after %d others takes %.2f times as long as after %d, %.3f ms more for each 1000", lengths[last],
		line.Y[last]/line.Y[first], lengths[first], 1000*(line.Y[last]-line.Y[first])/(line.X[last]-line.X[first]))
	return nil
}

// budget measures trees of ascending sizes.
func (r *run) budget(ctx context.Context, d *layers.Decoder) error {
	if err := d.Truncate(shortText); err != nil {
		return err
	}
	t := r.out.AddTable("Tree budget: a pass of the target, in memory", report.Number("rows", 0), report.Number("ms/pass", 3),
		report.Number("of one row", 2), report.Number("ms/row", 3))
	plot := r.out.AddPlot(report.Plot{Name: "budget", Title: "Verifying a tree by its rows", X: "rows", Y: "ms", LogX: true})
	line := report.Series{Name: "a pass"}
	for _, rows := range rowCounts {
		p, err := r.measure(ctx, d, "budget", float64(rows), rows)
		if err != nil {
			return err
		}
		line.X, line.Y = append(line.X, p.X), append(line.Y, millisecond*p.Seconds)
		t.Add(rows, millisecond*p.Seconds, millisecond*p.Seconds/line.Y[0], millisecond*p.Seconds/float64(rows))
	}
	plot.Add(line)
	plot.Add(report.Law(line, "ms", "row"))
	some, most := slices.Index(rowCounts, someRows), len(rowCounts)-1
	r.out.Find("tree budget: a pass of %d rows takes %.2f times as long as one of one row, one of %d rows %.2f times", someRows,
		line.Y[some]/line.Y[0], rowCounts[most], line.Y[most]/line.Y[0])
	return nil
}

// model is a point of the curve by size.
type model struct {
	name      string
	bytes     int64 // of a pass
	one, some float64
}

// size measures all models.
func (r *run) size(ctx context.Context) error {
	var models []model
	for _, path := range append([]string{r.Draft, r.Model}, r.Also...) {
		err := r.withShortText(ctx, lever.Config{Model: path, Threads: r.Threads}, func(e *lever.Engine) error {
			bytes, err := passBytes(e)
			if err != nil {
				return err
			}
			m := model{name: filepath.Base(path), bytes: bytes}
			m.one, m.some, err = r.oneAndSome(ctx, e, "size", float64(bytes))
			models = append(models, m)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	slices.SortFunc(models, func(a, b model) int { return int(a.bytes - b.bytes) })
	t := r.out.AddTable("Model size: a pass, in memory", report.Text("model"), report.Number("MB of weights", 1), report.Number("ms, one row", 3),
		report.Number("GB/s", 1), report.Number(fmt.Sprintf("ms, %d rows", someRows), 3))
	plot := r.out.AddPlot(report.Plot{Name: "size", Title: "A pass by the bytes of weights that it uses", X: "MB of weights", Y: "ms"})
	one, some := report.Series{Name: "one row"}, report.Series{Name: fmt.Sprintf("%d rows", someRows)}
	for _, m := range models {
		mb := float64(m.bytes) / 1e6
		t.Add(m.name, mb, millisecond*m.one, float64(m.bytes)/m.one/1e9, millisecond*m.some)
		one.X, one.Y = append(one.X, mb), append(one.Y, millisecond*m.one)
		some.X, some.Y = append(some.X, mb), append(some.Y, millisecond*m.some)
	}
	for _, s := range []report.Series{one, some} {
		plot.Add(s)
		if len(models) > 2 { // a line goes through any two
			plot.Add(report.Law(s, "ms", "MB"))
		}
	}
	small, large := models[0], models[len(models)-1]
	r.out.Find("model size: %.1f times the bytes of weights take %.1f times as long, %.1f times with %d rows", float64(large.bytes)/float64(small.bytes),
		large.one/small.one, large.some/small.some, someRows)
	return nil
}

// passBytes returns the bytes of weights that a pass over an engine's target uses.
func passBytes(e *lever.Engine) (int64, error) {
	store, _ := e.Stores()
	plan, err := store.Plan(0)
	return plan.Pass, err
}

// oneAndSome measures passes of one row and of a tree.
func (r *run) oneAndSome(ctx context.Context, e *lever.Engine, curve string, x float64) (one, some float64, err error) {
	p, err := r.measure(ctx, e.Target(), curve, x, 1)
	if err != nil {
		return 0, 0, err
	}
	q, err := r.measure(ctx, e.Target(), curve, x, someRows)
	return p.Seconds, q.Seconds, err
}

// threads measures the target with 1 worker up to one for each processor.
func (r *run) threads(ctx context.Context) error {
	tree := fmt.Sprintf("%d rows", someRows)
	t := r.out.AddTable("Threads: a pass of the target, in memory", report.Number("threads", 0), report.Number("ms, one row", 3), report.Number("times as fast", 2),
		report.Number("ms, "+tree, 3), report.Number("times as fast", 2))
	plot := r.out.AddPlot(report.Plot{Name: "threads", Title: "Speed of a pass by the number of threads", X: "threads", Y: "times as fast as one thread"})
	one, some, ideal := report.Series{Name: "one row"}, report.Series{Name: tree}, report.Series{Name: "as many times as threads", Dashed: true}
	var oneAlone, someAlone float64
	for n := 1; n <= runtime.NumCPU(); n++ {
		err := r.withShortText(ctx, lever.Config{Model: r.Model, Threads: n}, func(e *lever.Engine) error {
			x := float64(n)
			p, q, err := r.oneAndSome(ctx, e, "threads", x)
			if n == 1 {
				oneAlone, someAlone = p, q
			}
			t.Add(n, millisecond*p, oneAlone/p, millisecond*q, someAlone/q)
			one.X, one.Y = append(one.X, x), append(one.Y, oneAlone/p)
			some.X, some.Y = append(some.X, x), append(some.Y, someAlone/q)
			ideal.X, ideal.Y = append(ideal.X, x), append(ideal.Y, x)
			return err
		})
		if err != nil {
			return fmt.Errorf("%d threads: %w", n, err)
		}
	}
	for _, s := range []report.Series{one, some, ideal} {
		plot.Add(s)
	}
	last := runtime.NumCPU() - 1
	r.out.Find("threads: %d are %.2f times as fast as one for one row, %.2f times for %s", last+1, one.Y[last], some.Y[last], tree)
	return nil
}

// dram measures the target with ascending parts of it in memory.
func (r *run) dram(ctx context.Context) error {
	store, err := lever.OpenStore(ctx, r.Model, lever.Config{})
	if err != nil {
		return err
	}
	whole, err := store.Plan(0)
	if err != nil {
		return err
	}
	scale := max(1, float64(r.PassBytes)/float64(whole.Pass))
	r.out.Set("flash device", fmt.Sprintf("%s, simulated; a byte counts for %.1f, so that a pass of all weights reads %.2f GB", r.Flash.Name, scale, scale*float64(whole.Pass)/1e9))
	t := r.out.AddTable("DRAM budget: a pass of one row, the rest streamed", report.Number("MiB of memory", 1), report.Number("in memory %", 0), report.Number("MB read/pass", 2),
		report.Number("s/pass", 3), report.Number("s at the device's best", 3))
	plot := r.out.AddPlot(report.Plot{Name: "dram", Title: "A pass by the part of the model in memory", X: "% in memory", Y: "seconds"})
	line, bound := report.Series{Name: "measured"}, report.Series{Name: "bytes ÷ the device's best", Dashed: true}
	best := 0.0
	for _, row := range r.Flash.BytesPerSecond {
		best = max(best, slices.Max(row)/scale)
	}
	var flash flashsim.Stats
	for _, share := range shares {
		throttle, err := flashsim.NewThrottle(r.Flash, flashsim.Options{Scale: scale, Seed: 1})
		if err != nil {
			return err
		}
		budget := int64(share * float64(whole.Pass))
		cfg := lever.Config{Model: r.Model, Threads: r.Threads, DRAM: budget, OpenFile: throttle.Opener(nil)}
		err = r.withShortText(ctx, cfg, func(e *lever.Engine) error {
			plan, _ := e.Plan()
			inMemory := 1 - float64(plan.Streamed)/float64(plan.Pass)
			before := throttle.Stats().Bytes
			leave := e.SpecOptions().Enter()
			p, err := r.measure(ctx, e.Target(), "dram", inMemory, 1)
			leave()
			read := float64(throttle.Stats().Bytes-before) / float64(p.Passes+1)
			least := float64(plan.Streamed) / best
			t.Add(float64(budget)/(1<<20), 100*inMemory, read/1e6, p.Seconds, least)
			line.X, line.Y = append(line.X, 100*inMemory), append(line.Y, p.Seconds)
			bound.X, bound.Y = append(bound.X, 100*inMemory), append(bound.Y, least)
			return err
		})
		if err != nil {
			return fmt.Errorf("%d bytes of memory: %w", budget, err)
		}
		flash.ReadTime += throttle.Stats().ReadTime
		flash.Overrun += throttle.Stats().Overrun
	}
	plot.Add(line)
	plot.Add(bound)
	if overrun := flash.Overrun.Seconds() / flash.ReadTime.Seconds(); overrun >= 0.0005 { // what is shown as more than nothing
		r.out.Set("time of reads by which this machine was slower than the device", fmt.Sprintf("%.1f %%", 100*overrun))
	}
	last := len(shares) - 1
	r.out.Find("DRAM budget: with %.0f%% of the weights in memory a pass takes %.2f times as long as with %.0f%%, and its bytes at the device's best %.2f times", line.X[last],
		line.Y[last]/line.Y[0], line.X[0], bound.Y[last]/bound.Y[0])
	return nil
}
