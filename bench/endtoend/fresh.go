package endtoend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
)

// Step is the end of a pass of an answer.
type Step struct {
	Tokens  int     `json:"tokens"` // so far
	Seconds float64 `json:"seconds"`
}

// RunFresh measures the first answers of engines: each is opened anew for every answer, so that the policy lever knows nothing of models and device. All ways
// answer each prompt by turns with as many tokens as the longest of the lengths; shorter answers are how these begin. What the options say of warming up does not
// count.
func RunFresh(ctx context.Context, o Options, lengths []int) (*report.Report, error) {
	if o.Chains == nil {
		o.Chains = []int{2, 4, 8}
	}
	if len(lengths) == 0 || slices.Min(lengths) < 1 {
		return nil, fmt.Errorf("endtoend: answers of %v tokens", lengths)
	}
	o.Tokens = slices.Max(lengths)
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &run{Options: o}
	model, draft := r.names()
	out := report.New("endtoend-fresh", "First answers of an engine: "+model)
	out.Set("models", model+", "+draft)
	out.Set("memory for the target's weights", fmt.Sprintf("%.0f MiB", float64(o.DRAM)/(1<<20)))
	out.Set("prompts per set", o.Prompts)
	began := time.Now()
	ways, err := o.ways()
	if err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	mine := ways[len(ways)-1]
	mine.policy = nil // the engine's own
	for _, s := range o.Sets {
		r.total += len(ways) * min(o.Prompts, len(s.Prompts))
	}
	columns := []report.Column{report.Text("set"), report.Number("tokens", 0)}
	for _, w := range ways {
		columns = append(columns, report.Number(w.name, 3))
	}
	t := out.AddTable("tokens/s of the first tokens", append(columns, report.Number("lever ÷ best other", 2), report.Number("lever accepted/pass", 2))...)
	for _, set := range o.Sets {
		answers := map[string][]Answer{}
		for i, p := range set.Prompts[:min(o.Prompts, len(set.Prompts))] {
			for turn := range ways {
				w := ways[(turn+i)%len(ways)]
				a, err := r.fresh(ctx, w, p)
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
		for _, n := range lengths {
			row, best := []any{set.Name, float64(n)}, 0.0
			for _, w := range ways {
				rate, _ := begun(answers[w.name], n)
				row = append(row, rate)
				if w != mine {
					best = max(best, rate)
				}
			}
			rate, accepted := begun(answers[mine.name], n)
			t.Add(append(row, rate/best, accepted)...)
		}
	}
	compared, different := r.differences()
	out.Find("%s compared: %d differ", plural.Of(compared, "greedy answer"), different)
	out.Data = r.answers
	out.End(began)
	return out, nil
}

// begun returns the rate of the first n tokens of answers, or of all where there are fewer, and the tokens of a pass.
func begun(answers []Answer, n int) (rate, accepted float64) {
	tokens, seconds, passes := 0, 0.0, 0
	for _, a := range answers {
		end := slices.IndexFunc(a.Steps, func(s Step) bool { return s.Tokens >= n })
		if end < 0 {
			end = len(a.Steps) - 1
		}
		tokens += min(n, a.Steps[end].Tokens)
		seconds += a.Steps[end].Seconds
		passes += end + 1
	}
	return float64(tokens) / seconds, float64(tokens) / float64(passes)
}

// fresh lets a way answer a prompt with an engine of its own.
func (r *run) fresh(ctx context.Context, w *way, p bench.Prompt) (a Answer, err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: r.Model, Draft: r.Draft, DRAM: r.DRAM, Threads: r.Threads, OpenFile: r.OpenFile})
	if err != nil {
		return Answer{}, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	var now Step
	var steps []Step
	observed := *w
	observed.observe = func(o spec.Observation) {
		now.Tokens += len(o.Path)
		now.Seconds += o.DraftSeconds + o.VerifySeconds
		steps = append(steps, now)
	}
	a, err = r.answer(ctx, engine, &observed, p)
	a.Steps = steps
	return a, err
}
