package quality

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// Options say what [Run] measures. Model and Sets must be set.
type Options struct {
	Model string // as in [lever.Config]
	Sets  []bench.Set
	Types []weights.Mix // of matrices, as [weights.Uniform] gives them for one type; if nil, all types that stores can be converted to, and all mixes
	// Tokens is the most that are judged; if zero, all. Importance is measured with all of the other prompts.
	Tokens   int
	Threads  int                   // if zero, one per performance core
	Progress func(done, total int) // if not nil, is called with the number of types done
}

// Result is what one type costs.
type Result struct {
	Type       string  `json:"type"`
	Importance bool    `json:"importance"`      // it was encoded with it
	Bits       float64 `json:"bits_per_weight"` // of all matrices
	NLL        float64 `json:"nll"`             // mean, in nats per token
	Lost       float64 `json:"nll_lost"`        // against the model's own weights
	Agreement  float64 `json:"top1_agreement"`  // with the model's own weights
	KL         float64 `json:"kl"`              // mean divergence of the distributions from those of the model's own weights, in nats
}

// Run measures.
func Run(ctx context.Context, o Options) (_ *report.Report, err error) {
	if o.Model == "" || len(o.Sets) == 0 || min(o.Tokens, o.Threads) < 0 {
		return nil, errors.New("quality: a model and prompts are needed, and no number may be negative")
	}
	began := time.Now()
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("quality: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	pool := kernels.NewPool(max(o.Threads, 1))
	defer pool.Close()
	j := &judge{pool: pool}
	if err := j.load(ctx, engine, o); err != nil {
		return nil, fmt.Errorf("quality: %w", err)
	}
	results, err := j.all(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("quality: %w", err)
	}
	r := report.New("quality", "What types of few bits cost")
	r.Set("model", filepath.Base(o.Model))
	r.Set("tokens judged", count(j.judged))
	r.Set("tokens that importance is measured with", count(j.measured))
	r.Data = results
	present(r, results)
	r.End(began)
	return r, nil
}

// all judges every type.
func (j *judge) all(ctx context.Context, o Options) (results []Result, err error) {
	types := o.Types
	if types == nil {
		for _, d := range weights.EncodableTypes() {
			types = append(types, weights.Uniform(d))
		}
		types = append(types, weights.Mixes()...)
	}
	total := 2 * len(types)
	done := func() {
		if o.Progress != nil {
			o.Progress(len(results), total)
		}
	}
	for _, d := range types {
		r, err := j.judge(ctx, d, false)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		done()
		if !tensor.Weighted(d.Type) {
			total--
			continue
		}
		if r, err = j.judge(ctx, d, true); err != nil {
			return nil, err
		}
		results = append(results, r)
		done()
	}
	slices.SortStableFunc(results, func(a, b Result) int { return int(math.Copysign(1, b.Bits-a.Bits)) })
	return results, nil
}

func count(sequences [][]int32) (n int) {
	for _, s := range sequences {
		n += len(s)
	}
	return n
}

// present adds tables, plots and findings.
func present(r *report.Report, results []Result) {
	t := r.AddTable("Types, by bits", report.Text("type"), report.Text("importance"), report.Number("bits/weight", 2), report.Number("NLL", 4),
		report.Number("lost", 4), report.Number("same likeliest token %", 1), report.Number("KL", 5))
	lines := [2]report.Series{{Name: "without importance"}, {Name: "with importance"}}
	agreement := [2]report.Series{{Name: "without importance"}, {Name: "with importance"}}
	without := map[string]Result{}
	for _, x := range results {
		at, word := 0, "no"
		if x.Importance {
			at, word = 1, "yes"
		}
		t.Add(x.Type, word, x.Bits, x.NLL, x.Lost, 100*x.Agreement, x.KL)
		lines[at].X, lines[at].Y = append(lines[at].X, x.Bits), append(lines[at].Y, x.KL)
		agreement[at].X, agreement[at].Y = append(agreement[at].X, x.Bits), append(agreement[at].Y, 100*x.Agreement)
		if !x.Importance {
			without[x.Type] = x
			continue
		}
		r.Find("%s: with importance %.4f nats a token are lost, without it %.4f; the divergence is %.4f and %.4f", x.Type, x.Lost, without[x.Type].Lost, x.KL, without[x.Type].KL)
	}
	divergence := r.AddPlot(report.Plot{Name: "divergence", Title: "Divergence from the model's own weights", X: "bits per weight", Y: "KL, nats", LogY: true})
	agree := r.AddPlot(report.Plot{Name: "agreement", Title: "The likeliest token is that of the model's own weights", X: "bits per weight", Y: "%"})
	for i := range lines {
		lines[i].Points, agreement[i].Points = true, true
		divergence.Add(lines[i])
		agree.Add(agreement[i])
	}
}
