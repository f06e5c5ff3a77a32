package placement

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/kernels/npu/offload"
)

// projection is a way to compute the logits of a pass.
type projection struct {
	name  string
	eager bool // for the whole tree at once, not along the accepted path
	ahead bool // along the path, but with a row come those that are likeliest to be needed next
	place offload.Place
}

// Names of ways that findings are about.
const (
	onDemandCPU = "on-demand CPU"
	aheadCPU    = "4 ahead CPU"
)

var projections = []projection{
	{"eager NPU", true, false, offload.NPU},
	{"on-demand NPU", false, false, offload.NPU},
	{onDemandCPU, false, false, offload.CPU},
	{"4 ahead NPU", false, true, offload.NPU},
	{aheadCPU, false, true, offload.CPU},
}

// seconds returns the time of the logits of a pass.
func (j projection) seconds(p *phone, model shape, pass Pass) (seconds float64) {
	switch {
	case j.eager:
		return p.head(model, pass.Rows, j.place)
	case !j.ahead:
		return float64(pass.Path) * p.head(model, 1, j.place)
	}
	for _, rows := range pass.Heads {
		seconds += p.head(model, rows, j.place)
	}
	return seconds
}

// Projected is the latency of the logits of a pass.
type Projected struct {
	Phone   string  `json:"phone"`
	Model   string  `json:"model"`
	Budget  int     `json:"budget"`
	Way     string  `json:"way"`
	Seconds float64 `json:"seconds"` // mean over passes
}

// Projection compares ways to compute the logits of the trees of a recording, on the heads of large models: of the whole tree on the NPU, or
// along the accepted path, on the CPU or the NPU, row by row or with the rows that are likeliest to be needed next.
func Projection(r *Recording) (*report.Report, error) {
	all, err := phones()
	if err != nil {
		return nil, err
	}
	out := report.New("projection", "Latency of the output projection by where it is computed, on simulated phones (figure 14)")
	out.Set("recorded", fmt.Sprintf("%d answers of %d tokens in all, for each tree budget", r.Prompts, r.Tokens))
	out.Set("weights", weightType)
	var projected []Projected
	for _, p := range all {
		table := out.AddTable(p.Name+", ms per pass", report.Text("model"), report.Text("head"), report.Number("budget", 0), report.Number("rows/tree", 1),
			report.Number("rows/path", 2))
		for _, j := range projections {
			table.Columns = append(table.Columns, report.Number(j.name, 1))
		}
		plot := out.AddPlot(report.Plot{Name: plotName(p.Name), Title: fmt.Sprintf("Output projection on %s, tree budget %d", p.Name, plotBudget), Y: "ms per pass"})
		bars := make([]report.Series, len(projections))
		for i, j := range projections {
			bars[i].Name = j.name
		}
		for _, model := range targets {
			for _, b := range r.Budgets {
				rows := b.mean(func(pass Pass) float64 { return float64(pass.Rows) })
				path := b.mean(func(pass Pass) float64 { return float64(pass.Path) })
				row := []any{model.name, fmt.Sprintf("%d × %d", model.vocab, model.width), b.Nodes, rows, path}
				for i, j := range projections {
					seconds := b.mean(func(pass Pass) float64 { return j.seconds(p, model, pass) })
					projected = append(projected, Projected{p.Name, model.name, b.Nodes, j.name, seconds})
					row = append(row, 1e3*seconds)
					if b.Nodes == plotBudget {
						bars[i].Y = append(bars[i].Y, 1e3*seconds)
					}
				}
				table.Add(row...)
			}
			plot.Groups = append(plot.Groups, model.name)
		}
		for _, s := range bars {
			plot.Add(s)
		}
		findLeast(out, p.Name, projected, onDemandCPU, "eager NPU", "on-demand NPU")
		findLeast(out, p.Name, projected, aheadCPU, "eager NPU", "on-demand NPU", onDemandCPU, "4 ahead NPU")
	}
	out.Data = projected
	return out, nil
}

// plotBudget is the tree budget that the plot shows.
const plotBudget = 16

// findLeast says how a way compares with others on a phone.
func findLeast(out *report.Report, phone string, projected []Projected, way string, others ...string) {
	var ratios []float64 // of the best other way
	for at := 0; at < len(projected); at += len(projections) {
		if projected[at].Phone != phone {
			continue
		}
		mine, other := 0.0, math.Inf(1)
		for _, x := range projected[at : at+len(projections)] {
			switch {
			case x.Way == way:
				mine = x.Seconds
			case slices.Contains(others, x.Way):
				other = min(other, x.Seconds)
			}
		}
		ratios = append(ratios, other/mine)
	}
	ahead := 0
	for _, r := range ratios {
		if r >= 1 {
			ahead++
		}
	}
	out.Find("On %s, %s takes less time than %s in %d of %d cases of model and budget; the best of those takes %.2f to %.2f times as long (goal: more in all).",
		phone, way, strings.Join(others, ", "), ahead, len(ratios), slices.Min(ratios), slices.Max(ratios))
}
