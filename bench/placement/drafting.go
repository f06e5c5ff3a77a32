package placement

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels/npu/offload"
)

// strategy is a way to compute the draft forwards of a pass.
type strategy struct {
	name    string
	single  bool // one row after the other, not in waves
	place   offload.Place
	another bool // than those of the paper
}

// batchAware is the name of what the scheduler does.
const batchAware = "batch-aware"

var strategies = []strategy{
	{"single-node NPU", true, offload.NPU, false},
	{"single-node CPU", true, offload.CPU, false},
	{"batched NPU", false, offload.NPU, true},
	{"batched CPU", false, offload.CPU, true},
	{batchAware, false, offload.Auto, false},
}

// seconds returns the time of the draft forwards of a pass.
func (s strategy) seconds(p *phone, model shape, pass Pass) (seconds float64) {
	for _, rows := range pass.Waves {
		if s.single {
			seconds += float64(rows) * p.forward(model, 1, s.place)
		} else {
			seconds += p.forward(model, rows, s.place)
		}
	}
	return seconds
}

// DraftLatency is the latency of the draft stage of a pass.
type DraftLatency struct {
	Phone    string  `json:"phone"`
	Model    string  `json:"model"`
	Budget   int     `json:"budget"`
	Strategy string  `json:"strategy"`
	Seconds  float64 `json:"seconds"` // mean over passes
}

// DraftScheduling compares ways to compute the draft forwards of a recording: one node after the other on the CPU or the NPU, waves on
// either, and batch-aware, where each group of projections of each wave goes where it takes less time.
func DraftScheduling(r *Recording) (*report.Report, error) {
	all, err := phones()
	if err != nil {
		return nil, err
	}
	out := report.New("draft-scheduling", "Latency of the draft stage by where it is computed, on simulated phones (figure 13)")
	out.Set("recorded", fmt.Sprintf("%s of %s in all, for each tree budget", plural.Of(r.Prompts, "answer"), plural.Of(r.Tokens, "token")))
	out.Set("weights", weightType)
	var drafted []DraftLatency
	for _, p := range all {
		for _, model := range drafts {
			drafted = append(drafted, draftStage(out, p, model, r.Budgets, "")...)
			if r.Parallel != nil {
				drafted = append(drafted, draftStage(out, p, model, r.Parallel, " as a parallel draft")...)
			}
		}
	}
	worst := 1.0
	for at := 0; at < len(drafted); at += len(strategies) {
		ways := drafted[at : at+len(strategies)] // batch-aware is the last
		least := slices.MinFunc(ways[:len(ways)-1], func(a, b DraftLatency) int { return cmp.Compare(a.Seconds, b.Seconds) })
		worst = max(worst, ways[len(ways)-1].Seconds/least.Seconds)
	}
	out.Find("Batch-aware takes at most %.4f times as long as the best of the others, at any budget, draft and phone (goal: best or equal everywhere).", worst)
	findSpeedups(out, drafted)
	out.Data = drafted
	return out, nil
}

// draftStage compares the strategies on a phone, for a draft of some shape and kind.
func draftStage(out *report.Report, p *phone, model shape, budgets []Budget, kind string) (drafted []DraftLatency) {
	name := model.name + kind
	table := out.AddTable(fmt.Sprintf("%s on %s, ms per pass", name, p.Name), report.Number("budget", 0), report.Number("forwards/pass", 1),
		report.Number("rows/forward", 1), report.Number("accepted/pass", 2))
	for _, s := range strategies {
		table.Columns = append(table.Columns, report.Number(s.name, 1))
	}
	plot := out.AddPlot(report.Plot{
		Name: plotName(p.Name, name), Title: fmt.Sprintf("Draft stage of %s on %s", name, p.Name), X: "tree budget", Y: "ms per pass",
		LogX: true,
	})
	lines := make([]report.Series, len(strategies))
	for _, b := range budgets {
		forwards, rows := b.waves()
		row := []any{b.Nodes, forwards, rows, b.mean(func(pass Pass) float64 { return float64(pass.Path) })}
		for i, s := range strategies {
			seconds := b.mean(func(pass Pass) float64 { return s.seconds(p, model, pass) })
			drafted = append(drafted, DraftLatency{p.Name, name, b.Nodes, s.name, seconds})
			row = append(row, 1e3*seconds)
			lines[i].Name, lines[i].Dashed = s.name, s.another
			lines[i].X, lines[i].Y = append(lines[i].X, float64(b.Nodes)), append(lines[i].Y, 1e3*seconds)
		}
		table.Add(row...)
	}
	for _, l := range lines {
		plot.Add(l)
	}
	return drafted
}

// findSpeedups says what batch-aware gains.
func findSpeedups(out *report.Report, drafted []DraftLatency) {
	for _, s := range strategies[:2] {
		var ratios []float64
		for _, d := range drafted {
			if d.Strategy != s.name {
				continue
			}
			i := slices.IndexFunc(drafted, func(x DraftLatency) bool {
				return x.Phone == d.Phone && x.Model == d.Model && x.Budget == d.Budget && x.Strategy == batchAware
			})
			ratios = append(ratios, d.Seconds/drafted[i].Seconds)
		}
		out.Find("It is %.2f to %.2f times as fast as %s.", slices.Min(ratios), slices.Max(ratios), s.name)
	}
}

// plotName makes a file's name.
func plotName(parts ...string) (name string) {
	for i, part := range parts {
		if i > 0 {
			name += "-"
		}
		for _, c := range part {
			if c == '.' {
				c = '-'
			}
			name += string(c)
		}
	}
	return name
}

// mean returns the mean of f over all passes.
func (b *Budget) mean(f func(Pass) float64) float64 {
	sum := 0.0
	for _, p := range b.Passes {
		sum += f(p)
	}
	return sum / float64(max(1, len(b.Passes)))
}

// waves returns the mean number of draft forwards of a pass, and of rows of a forward.
func (b *Budget) waves() (forwards, rows float64) {
	forwards = b.mean(func(p Pass) float64 { return float64(len(p.Waves)) })
	rows = b.mean(func(p Pass) float64 {
		n := 0
		for _, w := range p.Waves {
			n += w
		}
		return float64(n)
	})
	return forwards, rows / max(1e-9, forwards)
}
