package simulate

import (
	"context"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/spec/earlyexit"
)

// pricedClock is a clock around a policy that knows what passes are worth.
type pricedClock struct {
	*clock
	earlyexit.Pricer
}

// pruning adds pruning half-way through the target to figure 10. What predictors see is not recorded, so the target itself answers.
func (s *simulation) pruning(ctx context.Context, out *report.Report, engine *lever.Engine) error {
	predictors, err := engine.Predictors()
	if err != nil {
		return err
	}
	if len(predictors) == 0 {
		out.Find("nothing was pruned: %s has no predictor", s.pair.Target.Name)
		return nil
	}
	table := out.AddTable("Lever with and without pruning half-way through the target, geometric means over the sets (figure 10)", report.Text("phone"), report.Text("model"),
		report.Number("lever", 3), report.Number("with pruning", 3), report.Number("ratio", 3), report.Number("nodes/pass", 1), report.Number("with pruning", 1))
	var groups []string
	bars := [2]report.Series{{Name: leverName}, {Name: "lever with pruning"}}
	var ratios []float64
	for _, d := range s.Phones {
		for _, t := range s.Targets {
			h, err := t.on(d)
			if err != nil {
				return err
			}
			off, err := s.mean(ctx, h, named(leverName, budget), false)
			if err != nil {
				return err
			}
			predictors, err := engine.Predictors() // each learns
			if err != nil {
				return err
			}
			pruned := *s
			pruned.live = engine.Target()
			if pruned.pruner, err = earlyexit.New(earlyexit.Options{Predictors: predictors, Layers: engine.Model().Layers}); err != nil {
				return err
			}
			on, err := pruned.mean(ctx, h, named(leverName, budget), false)
			if err != nil {
				return err
			}
			table.Add(d.Name, t.Name, off.rate, on.rate, on.rate/off.rate, off.drafted, on.drafted)
			groups = append(groups, t.Name+"\n"+d.Name)
			bars[0].Y, bars[1].Y = append(bars[0].Y, off.rate), append(bars[1].Y, on.rate)
			ratios = append(ratios, on.rate/off.rate)
		}
	}
	plot := out.AddPlot(report.Plot{Name: "pruning", Title: "Tokens/s with and without pruning half-way through the target (figure 10)", Y: "tokens/s", Groups: groups})
	for _, b := range bars {
		plot.Add(b)
	}
	out.Find("with pruning half-way through the target, lever is %s as without, in the mean over %d phones and models", timesAsFast(bench.GeometricMean(ratios)), len(ratios))
	return nil
}
