package endtoend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
)

// RunFresh measures the first answers of engines: each is opened anew for every answer, so that the policy lever knows nothing of models and device. All ways
// answer each prompt with at most so many tokens by turns. What the options say of memory, of plain answers and of warming up does not count.
func RunFresh(ctx context.Context, o Options, lengths []int) (*report.Report, error) {
	if o.Chains == nil {
		o.Chains = []int{2, 4, 8}
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	for _, n := range lengths {
		if n < 1 {
			return nil, fmt.Errorf("endtoend: answers of %d tokens", n)
		}
	}
	r := &run{Options: o}
	out := report.New("endtoend-fresh", "First answers of an engine")
	out.Set("prompts per set", o.Prompts)
	began := time.Now()
	ways, err := o.ways()
	if err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	mine := ways[len(ways)-1]
	mine.policy = nil // the engine's own
	for _, s := range o.Sets {
		r.total += len(lengths) * len(ways) * min(o.Prompts, len(s.Prompts))
	}
	for _, set := range o.Sets {
		columns := []report.Column{report.Number("tokens", 0)}
		for _, w := range ways {
			columns = append(columns, report.Number(w.name, 3))
		}
		t := out.AddTable(set.Name+", tokens/s", append(columns, report.Number("lever ÷ best other", 2), report.Number("lever accepted/pass", 2))...)
		for _, n := range lengths {
			answers := map[string][]Answer{}
			for i, p := range set.Prompts[:min(o.Prompts, len(set.Prompts))] {
				for turn := range ways {
					w := *ways[(turn+i)%len(ways)]
					w.tokens = n
					a, err := r.fresh(ctx, &w, p)
					if err != nil {
						return nil, fmt.Errorf("endtoend: %s: %s: %w", p.ID, w.name, err)
					}
					a.Set = set.Name
					answers[w.name] = append(answers[w.name], a)
					r.answers = append(r.answers, a)
					if r.done++; r.Progress != nil {
						r.Progress(r.done, r.total)
					}
				}
			}
			row, best := []any{float64(n)}, 0.0
			for _, w := range ways {
				rate := sum(answers[w.name]).rate
				row = append(row, rate)
				if w != mine {
					best = max(best, rate)
				}
			}
			f := sum(answers[mine.name])
			t.Add(append(row, f.rate/best, f.accepted)...)
		}
	}
	compared, different := r.differences()
	out.Find("%d greedy answers compared: %d differ", compared, different)
	out.Data = r.answers
	out.End(began)
	return out, nil
}

// fresh lets a way answer a prompt with an engine of its own.
func (r *run) fresh(ctx context.Context, w *way, p bench.Prompt) (a Answer, err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: r.Model, Draft: r.Draft, DRAM: r.DRAM, Threads: r.Threads, OpenFile: r.OpenFile})
	if err != nil {
		return Answer{}, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return r.answer(ctx, engine, w, p)
}
