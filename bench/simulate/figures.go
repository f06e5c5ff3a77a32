package simulate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/plural"
)

const leverName, plainName = "lever", "none"

// verification is figure 4: how long a pass takes by the number of verified tokens, and how many times as many tokens a second are verified.
func (s *simulation) verification(_ context.Context, out *report.Report) error {
	t := s.Targets[0]
	seconds := out.AddPlot(report.Plot{Name: "verify", Title: "A pass over " + t.Name + " by verified tokens (figure 4)", X: "tokens", Y: "seconds", LogX: true})
	gain := out.AddPlot(report.Plot{Name: "verify-gain", Title: "Tokens verified per second, of one at a time (figure 4)", X: "tokens", Y: "times", LogX: true})
	columns := []report.Column{report.Number("verified tokens", 0)}
	rows := []int{1, 2, 4, 8, 16, 24, 32, 48, 64}
	times := make([][]float64, len(s.Phones))
	for i, d := range s.Phones {
		h, err := t.on(d)
		if err != nil {
			return err
		}
		columns = append(columns, report.Number(d.Name+": s", 3))
		var xs, gains []float64
		for _, n := range rows {
			times[i] = append(times[i], h.steady(n, 0))
			xs, gains = append(xs, float64(n)), append(gains, float64(n)*times[i][0]/times[i][len(xs)])
		}
		seconds.Add(report.Series{Name: d.Name, X: xs, Y: times[i]})
		gain.Add(report.Series{Name: d.Name, X: xs, Y: gains})
	}
	table := out.AddTable("Seconds of a pass over "+t.Name+" (figure 4)", columns...)
	for j, n := range rows {
		cells := []any{n}
		for i := range s.Phones {
			cells = append(cells, times[i][j])
		}
		table.Add(cells...)
	}
	return nil
}

// steady returns the mean time of passes of n rows, before each of which a draft model works for so many seconds.
func (h *hardware) steady(n int, drafting float64) float64 {
	const passes = 24
	c := clock{h: h, random: rand.New(rand.NewPCG(1, 2)), computed: make([]float64, h.layers)}
	c.pass(n, nil)
	began := c.now
	for range passes {
		c.now += drafting
		c.pass(n, nil)
	}
	return (c.now - began) / passes
}

// budgets is figure 5: a fixed tree that is too small leaves tokens on the table, one that is too large costs more than it brings.
func (s *simulation) budgets(ctx context.Context, out *report.Report) error {
	t := s.Targets[0]
	sizes := []int{4, 8, 16, 32, 64}
	columns := []report.Column{report.Text("phone"), report.Text("policy")}
	for _, n := range sizes {
		columns = append(columns, report.Number(fmt.Sprintf("%d", n), 3))
	}
	table := out.AddTable("Tokens/s by the budget of a tree, "+t.Name+" (figure 5)", columns...)
	for i, d := range []Phone{s.Phones[0], s.Phones[len(s.Phones)-1]} {
		if i > 0 && len(s.Phones) == 1 {
			break
		}
		h, err := t.on(d)
		if err != nil {
			return err
		}
		plot := out.AddPlot(report.Plot{Name: fmt.Sprintf("budget-%d", i+1), Title: fmt.Sprintf("Tokens/s by the budget of a tree: %s, %s (figure 5)", t.Name, d.Name), X: "drafted tokens", Y: "tokens/s", LogX: true})
		for _, name := range []string{"chain", "specinfer", "sequoia", "opttree", "eagle2", leverName} {
			cells := []any{d.Name, name}
			var xs, ys []float64
			for _, n := range sizes {
				x, err := s.mean(ctx, h, named(name, n), false)
				if err != nil {
					return err
				}
				xs, ys, cells = append(xs, float64(n)), append(ys, x.rate), append(cells, x.rate)
			}
			plot.Add(report.Series{Name: name, X: xs, Y: ys})
			table.Add(cells...)
		}
	}
	return nil
}

// phones is figure 10: plain decoding, the best chain and lever over phone, model and data set.
func (s *simulation) phones(ctx context.Context, out *report.Report) error {
	columns := []report.Column{report.Text("phone"), report.Text("model"), report.Text("set"), report.Number("plain", 3), report.Number("best chain", 3),
		report.Number("lever", 3), report.Number("÷ plain", 2), report.Number("÷ chain", 2)}
	table := out.AddTable("Tokens/s by phone, model and data set (figure 10)", columns...)
	var groups []string
	bars := [3]report.Series{{Name: "plain"}, {Name: "best chain"}, {Name: leverName}}
	var overPlain, overChain []float64
	for _, d := range s.Phones {
		for _, t := range s.Targets {
			h, err := t.on(d)
			if err != nil {
				return err
			}
			var all [3][]float64
			for _, set := range s.pair.Sets {
				best, err := s.best(ctx, h, set)
				if err != nil {
					return err
				}
				rates := [3]float64{best[0].rate, best[1].rate, best[2].rate}
				for i := range rates {
					all[i] = append(all[i], rates[i])
				}
				if !d.Bound {
					overPlain, overChain = append(overPlain, rates[2]/rates[0]), append(overChain, rates[2]/rates[1])
				}
				table.Add(d.Name, t.Name, set.Name, rates[0], rates[1], rates[2], rates[2]/rates[0], rates[2]/rates[1])
			}
			groups = append(groups, t.Name+"\n"+d.Name)
			for i := range bars {
				bars[i].Y = append(bars[i].Y, bench.GeometricMean(all[i]))
			}
		}
	}
	plot := out.AddPlot(report.Plot{Name: "devices", Title: "Tokens/s by phone and model, geometric means over the sets (figure 10)", Y: "tokens/s", Groups: groups})
	for _, b := range bars {
		plot.Add(b)
	}
	out.Find("over %s, lever is %.2f times as fast as plain decoding from flash (paper %.2f) and %.2f times as fast as the best chain of each (paper, over a chain: %.2f), with the acceptance of the demo pair",
		plural.Of(len(overPlain), "configuration"), bench.GeometricMean(overPlain), bench.PaperOverPlain, bench.GeometricMean(overChain), bench.PaperOverChain)
	out.Summary.Sentences = append(out.Summary.Sentences, fmt.Sprintf("On simulated phones, the fastest with flash as it was measured, Lever is %.1f times as fast as plain decoding from flash and %.2f times as fast as the best chain, over %s.",
		bench.GeometricMean(overPlain), bench.GeometricMean(overChain), plural.Of(len(overPlain), "configuration")))
	return nil
}

// policies is figure 11: all policies, by tokens/s and by accepted length.
func (s *simulation) policies(ctx context.Context, out *report.Report) error {
	t := s.Targets[0]
	table := out.AddTable("Draft policies, "+t.Name+", geometric means over the sets (figure 11)", report.Text("phone"), report.Text("policy"),
		report.Number("tokens/s", 3), report.Number("of plain", 2), report.Number("accepted/pass", 2), report.Number("drafted/pass", 1), report.Number("s/pass", 3))
	variants := policies.Variants(budget, s.pair.Draft.Positions > 1)
	var groups []string
	for _, d := range s.Phones {
		groups = append(groups, d.Name)
	}
	rate := out.AddPlot(report.Plot{Name: "policies", Title: "Tokens/s by draft policy, " + t.Name + " (figure 11)", Y: "tokens/s", Groups: groups})
	length := out.AddPlot(report.Plot{Name: "accepted", Title: "Tokens of a pass by draft policy, " + t.Name + " (figure 11)", Y: "tokens", Groups: groups})
	results := make([][]result, len(s.Phones)) // by phone and variant
	behind := 0
	for i, d := range s.Phones {
		h, err := t.on(d)
		if err != nil {
			return err
		}
		for _, c := range variants {
			x, err := s.mean(ctx, h, c, false)
			if err != nil {
				return err
			}
			results[i] = append(results[i], x)
			table.Add(d.Name, c.Name, x.rate, x.rate/results[i][0].rate, x.accepted, x.drafted, x.pass)
		}
		mine := results[i][len(variants)-1] // lever is the last
		for j, x := range results[i][:len(variants)-1] {
			if x.rate >= mine.rate {
				behind++
				out.Find("on %s, %s is faster than lever: %.2f of its tokens/s", d.Name, variants[j].Name, x.rate/mine.rate)
			}
		}
	}
	if behind == 0 {
		out.Find("on %s, lever is ahead of every other policy", plural.Of(len(s.Phones), "phone"))
	}
	for j, c := range variants {
		rates, lengths := report.Series{Name: c.Name}, report.Series{Name: c.Name}
		for i := range s.Phones {
			rates.Y, lengths.Y = append(rates.Y, results[i][j].rate), append(lengths.Y, results[i][j].accepted)
		}
		rate.Add(rates)
		length.Add(lengths)
	}
	return nil
}

// tails compares a cost model that knows only the mean time of reads with one that knows their distribution, as more reads stall.
func (s *simulation) tails(ctx context.Context, out *report.Report) error {
	t, d := s.Targets[0], s.Phones[min(1, len(s.Phones)-1)]
	t.InMemory = 0.5 // reading and computing a tree take about as long: there a mistaken cost matters most
	h, err := t.on(d)
	if err != nil {
		return err
	}
	const length = 0.25 // of a pass that only reads
	h.stall = length * h.steady(1, 0)
	table := out.AddTable(fmt.Sprintf("Lever by what it knows of reads: %s, %s, half in memory, stalls of %.2f s", t.Name, d.Name, h.stall),
		report.Number("layers that stall %", 1), report.Number("mean: tokens/s", 3), report.Number("distribution: tokens/s", 3), report.Number("ratio", 3), report.Number("mean: nodes", 1), report.Number("distribution: nodes", 1))
	var xs []float64
	rates := [2]report.Series{{Name: "knows the mean"}, {Name: "knows the distribution"}}
	most, at := 1.0, 0.0
	for _, chance := range []float64{0, 0.005, 0.01, 0.02, 0.05, 0.1} {
		h.stallChance = chance
		var x [2]result
		for i, meanReads := range []bool{true, false} {
			if x[i], err = s.mean(ctx, h, named(leverName, budget), meanReads); err != nil {
				return err
			}
			rates[i].Y = append(rates[i].Y, x[i].rate)
		}
		xs = append(xs, 100*chance)
		ratio := x[1].rate / x[0].rate
		if ratio > most {
			most, at = ratio, chance
		}
		table.Add(100*chance, x[0].rate, x[1].rate, ratio, x[0].drafted, x[1].drafted)
	}
	plot := out.AddPlot(report.Plot{Name: "tails", Title: "Tokens/s as more layers' reads stall", X: "% of layers that stall", Y: "tokens/s"})
	for _, r := range rates {
		r.X = xs
		plot.Add(r)
	}
	if most >= 1.0005 {
		out.Find("with heavy tails, knowing the distribution of reads makes lever up to %.3f times as fast as knowing their mean, where %.1f%% of the layers stall", most, 100*at)
	} else {
		out.Find("knowing the distribution of reads instead of their mean does not make lever faster here")
	}
	return s.measuredTails(ctx, out, t, d)
}

// timesAsFast writes a ratio of rates, which are the same where it would be shown as 1.
func timesAsFast(ratio float64) string {
	if math.Abs(ratio-1) < 0.0005 {
		return "as fast"
	}
	return fmt.Sprintf("%.3f times as fast", ratio)
}

// measuredTails is the same with the delays of the phone's own profile, and of those that were measured.
func (s *simulation) measuredTails(ctx context.Context, out *report.Report, t Target, d Phone) error {
	own, err := flashsim.Load(d.Flash)
	if err != nil {
		return err
	}
	table := out.AddTable("Lever by what it knows of reads, whose delays are those of a device", report.Text("delays of"), report.Number("99 % within ms", 2), report.Number("longest ms", 2),
		report.Number("mean: tokens/s", 3), report.Number("distribution: tokens/s", 3), report.Number("ratio", 3))
	for _, delays := range append([]*flashsim.Profile{own}, s.Delays...) {
		flash := *own
		flash.Delays = delays.Delays
		h, err := t.onFlash(d, &flash)
		if err != nil {
			return err
		}
		var x [2]result
		for i, meanReads := range []bool{true, false} {
			if x[i], err = s.mean(ctx, h, named(leverName, budget), meanReads); err != nil {
				return err
			}
		}
		late, longest := 0.0, 0.0
		for _, delay := range flash.Delays {
			if longest = delay.Seconds; delay.Quantile <= 0.99 {
				late = delay.Seconds
			}
		}
		table.Add(delays.Name, 1e3*late, 1e3*longest, x[0].rate, x[1].rate, x[1].rate/x[0].rate)
		out.Find("with delays of reads as %s has them, the longest %.1f ms, lever is %s when it knows their distribution as when it knows their mean", delays.Name, 1e3*longest, timesAsFast(x[1].rate/x[0].rate))
	}
	return nil
}
