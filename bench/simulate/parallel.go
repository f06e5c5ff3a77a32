package simulate

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
)

// drafter is a draft model that is asked in some way.
type drafter struct {
	name string
	s    *simulation
}

// drafters returns the draft model, and the parallel one of an engine, asked node by node and with masks.
func (s *simulation) drafters(ctx context.Context, engine *lever.Engine) ([]drafter, error) {
	wide, err := s.other(ctx, engine, s.Model, s.Parallel)
	if err != nil {
		return nil, err
	}
	single := *wide.pair
	single.Draft.Positions = 0
	return []drafter{{"draft", s}, {"parallel draft, node by node", &simulation{Options: wide.Options, pair: &single}}, {"parallel draft", wide}}, nil
}

// parallel compares the parallel draft with the other one, each with and without look-up.
func (s *simulation) parallel(ctx context.Context, out *report.Report) (err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: s.Model, Draft: s.Parallel})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	all, err := s.drafters(ctx, engine)
	if err != nil {
		return err
	}
	for i, inMemory := range []float64{s.Targets[0].InMemory, 1} {
		t, d := s.Targets[0], s.Phones[0]
		t.InMemory = inMemory
		h, err := t.on(d)
		if err != nil {
			return err
		}
		where := fmt.Sprintf("%s, %s, %.0f%% in memory", t.Name, d.Name, 100*inMemory)
		if err := s.draftRates(ctx, out, h, all, where, i+1); err != nil {
			return err
		}
		if err := s.draftTimes(ctx, out, h, all, where, i+1); err != nil {
			return err
		}
	}
	return nil
}

// draftRates compares tokens/s and accepted tokens.
func (s *simulation) draftRates(ctx context.Context, out *report.Report, h *hardware, all []drafter, where string, number int) error {
	columns := []report.Column{report.Text("draft"), report.Text("look-up")}
	var sets []string
	for _, set := range s.pair.Sets {
		sets = append(sets, set.Name)
		columns = append(columns, report.Number(set.Name+": tokens/s", 3), report.Number("accepted/pass", 2))
	}
	t := out.AddTable("Drafts of lever: "+where, append(columns, report.Number("mean: tokens/s", 3), report.Number("accepted/pass", 2),
		report.Number("drafting ms/pass", 0), report.Number("forwards/pass", 1))...)
	rates := out.AddPlot(report.Plot{Name: fmt.Sprintf("parallel-rate-%d", number), Title: "Tokens/s by draft: " + where, Y: "tokens/s", Groups: sets})
	lengths := out.AddPlot(report.Plot{Name: fmt.Sprintf("parallel-accepted-%d", number), Title: "Tokens of a pass by draft: " + where, Y: "tokens", Groups: sets})
	for _, x := range all {
		for _, lookup := range []bool{false, true} {
			name, said := x.name, "no"
			if lookup {
				name, said = name+" and look-up", "yes"
			}
			results, mean, err := x.s.each(ctx, h, policies.Variant{Name: name, Policy: leverName, Budget: budget, NoLookup: !lookup})
			if err != nil {
				return err
			}
			row, rate, length := []any{x.name, said}, report.Series{Name: name}, report.Series{Name: name}
			for _, r := range results {
				row = append(row, r.rate, r.accepted)
				rate.Y, length.Y = append(rate.Y, r.rate), append(length.Y, r.accepted)
			}
			t.Add(append(row, mean.rate, mean.accepted, 1e3*mean.drafting, mean.forwards)...)
			rates.Add(rate)
			lengths.Add(length)
		}
	}
	return nil
}

// draftTimes compares the time of drafting at equal accepted length. Trees of other budgets take other numbers of forwards.
func (s *simulation) draftTimes(ctx context.Context, out *report.Report, h *hardware, all []drafter, where string, number int) error {
	t := out.AddTable("Drafting by the budget of a tree, without look-up: "+where, report.Text("draft"), report.Number("budget", 0), report.Number("accepted/pass", 2),
		report.Number("drafting ms/pass", 0), report.Number("÷ node by node at equal length", 2))
	plot := out.AddPlot(report.Plot{Name: fmt.Sprintf("parallel-drafting-%d", number), Title: "Time of drafting by tokens of a pass: " + where, X: "accepted tokens of a pass", Y: "ms of drafting"})
	var lines []report.Series
	for _, x := range all {
		line := report.Series{Name: x.name}
		for _, n := range []int{2, 4, 8, 16, 32, 64} {
			_, mean, err := x.s.each(ctx, h, policies.Variant{Name: x.name, Policy: leverName, Budget: n, NoLookup: true})
			if err != nil {
				return err
			}
			line.X, line.Y = append(line.X, mean.accepted), append(line.Y, 1e3*mean.drafting)
			var ratio any
			if len(lines) > 0 {
				if ms, found := interpolate(lines[0], mean.accepted); found {
					ratio = 1e3 * mean.drafting / ms
				}
			}
			t.Add(x.name, n, mean.accepted, 1e3*mean.drafting, ratio)
		}
		plot.Add(line)
		lines = append(lines, line)
	}
	return nil
}

// interpolate returns the height of a line at x, if that is between two of its points, which rise.
func interpolate(line report.Series, x float64) (y float64, found bool) {
	for i := 1; i < len(line.X); i++ {
		if a, b := line.X[i-1], line.X[i]; a <= x && x <= b && a < b {
			return line.Y[i-1] + (x-a)/(b-a)*(line.Y[i]-line.Y[i-1]), true
		}
	}
	return 0, false
}

// each returns what a policy reaches on each set, and the means.
func (s *simulation) each(ctx context.Context, h *hardware, c policies.Variant) (results []result, mean result, err error) {
	n := float64(len(s.pair.Sets))
	var rates []float64
	for _, set := range s.pair.Sets {
		r, err := s.simulateOne(ctx, h, set, c, false)
		if err != nil {
			return nil, mean, fmt.Errorf("%s, %s: %w", set.Name, c.Name, err)
		}
		results, rates = append(results, r), append(rates, r.rate)
		mean.accepted += r.accepted / n
		mean.drafting += r.drafting / n
		mean.forwards += r.forwards / n
	}
	mean.rate = bench.GeometricMean(rates)
	return results, mean, nil
}
