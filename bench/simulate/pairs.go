package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
)

// Pair is a pair of models whose acceptance is compared with that of others.
type Pair struct {
	Name  string // as the table shows it; if empty, what the models' stores are called
	Model string
	Draft string
}

// RunPairs compares pairs of models by how often the draft is right: what each drafts and accepts, at the cost of the first of the options' targets on
// the first of their phones. The options' own pair is the first; they must not record or replay a trace.
func RunPairs(ctx context.Context, o Options, pairs []Pair) (r *report.Report, err error) {
	defer func() {
		if err != nil {
			r, err = nil, fmt.Errorf("simulate: pairs: %w", err)
		}
	}()
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	if o.Record != "" || o.Replay != "" {
		return nil, errors.New("a trace is of one pair")
	}
	began := time.Now()
	t, d := o.Targets[0], o.Phones[0]
	h, err := t.on(d)
	if err != nil {
		return nil, err
	}
	out := report.New("simulate-pairs", fmt.Sprintf("Pairs of models, by how often the draft is right: %s on %s", t.Name, d.Name))
	number := report.Number
	p := &pairTable{h: h, out: out, table: out.AddTable(fmt.Sprintf("What each pair drafts and accepts, at the cost of %s with %s", t.Name, t.Draft), report.Text("pair"),
		number("draft is right %", 1), number("tokens/pass: best chain", 2), number("lever", 2), number("÷ plain", 2),
		report.Text("95 % of means"), number("÷ chain", 2), report.Text("95 % of means"), number("without look-up: ÷ plain", 2), number("÷ chain", 2))}
	pairs = append([]Pair{{Model: o.Model, Draft: o.Draft}}, pairs...)
	for i, pair := range pairs {
		if err := p.ask(ctx, o, pair); err != nil {
			return nil, fmt.Errorf("%s: %w", pair.Draft, err)
		}
		if o.Progress != nil {
			o.Progress(i+1, len(pairs))
		}
	}
	p.present()
	out.End(began)
	return out, nil
}

// comparison is what plain decoding, the best chain of each set and lever reach.
type comparison struct {
	best                 [3][]result // in this order, by set
	overPlain, overChain []float64   // lever's tokens/s ÷ the others', of each prompt
}

// threeWays compares them on all sets.
func (s *simulation) threeWays(ctx context.Context, h *hardware) (c comparison, err error) {
	for _, set := range s.pair.Sets {
		best, err := s.best(ctx, h, set)
		if err != nil {
			return c, err
		}
		for i, x := range best {
			c.best[i] = append(c.best[i], x)
		}
		for i, rate := range best[2].rates {
			c.overPlain, c.overChain = append(c.overPlain, rate/best[0].rates[i]), append(c.overChain, rate/best[1].rates[i])
		}
	}
	return c, nil
}

// other returns the simulation of another pair, which is not recorded: the trace is of the first.
func (s *simulation) other(ctx context.Context, engine *lever.Engine, model, draft string) (*simulation, error) {
	o := s.Options
	o.Model, o.Draft, o.Record = model, draft, ""
	other := &simulation{Options: o}
	var err error
	other.pair, err = other.ask(ctx, engine)
	return other, err
}

// pairTable is a table of pairs, and what a plot shows of it.
type pairTable struct {
	h         *hardware
	out       *report.Report
	table     *report.Table
	right     []float64    // of each pair, in %
	over      [3][]float64 // of lever, of lever without look-up and of the best chain, ÷ plain decoding
	overChain [2][]float64 // of lever, and of lever without look-up
}

// ask opens the models of a pair, and adds its row.
func (p *pairTable) ask(ctx context.Context, o Options, pair Pair) (err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: pair.Model, Draft: pair.Draft})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	s, err := (&simulation{Options: o}).other(ctx, engine, pair.Model, pair.Draft)
	if err != nil {
		return err
	}
	if len(p.right) == 0 {
		s.describe(p.out, o.Phones[:1], o.Targets[:1])
	}
	return p.add(ctx, cmp.Or(pair.Name, s.pair.pairName()), s)
}

// present adds the plot and what the table says.
func (p *pairTable) present() {
	plot := p.out.AddPlot(report.Plot{
		Name: "pairs", Title: "Tokens/s by how often the draft is right, of plain decoding; each pair is a point of each kind",
		X: "% of tokens where the draft's likeliest is the target's", Y: "times the tokens/s of plain decoding",
	})
	for i, name := range []string{leverName, "lever without look-up", "best chain"} {
		plot.Add(report.Series{Name: name, X: p.right, Y: p.over[i], Points: true})
	}
	least, most := slices.Min(p.overChain[0]), slices.Max(p.overChain[0])
	rightAt := func(ratio float64) float64 { return p.right[slices.Index(p.overChain[0], ratio)] }
	p.out.Summary.Sentences = append(p.out.Summary.Sentences, fmt.Sprintf(
		"Over %d pairs of models, whose drafts are right in %.0f to %.0f %% of tokens, Lever is %.1f to %.1f times as fast as plain decoding on a simulated phone; and as the best chain, from %.1f times with a draft that is right in %.0f %% to %.1f times with one that is right in %.0f %%.",
		len(p.right), slices.Min(p.right), slices.Max(p.right), slices.Min(p.over[0]), slices.Max(p.over[0]), least, rightAt(least), most, rightAt(most)))
	between := func(values []float64) string {
		return fmt.Sprintf("%.2f to %.2f", slices.Min(values), slices.Max(values))
	}
	p.out.Find("lever is %s times as fast as plain decoding, and %s times as fast as the best chain of each set; without look-up %s times and %s times",
		between(p.over[0]), between(p.overChain[0]), between(p.over[1]), between(p.overChain[1]))
}

// add adds the row of a pair.
func (p *pairTable) add(ctx context.Context, name string, s *simulation) error {
	c, err := s.threeWays(ctx, p.h)
	if err != nil {
		return err
	}
	_, one, err := s.each(ctx, p.h, named("chain", 1))
	if err != nil {
		return err
	}
	without, _, err := s.each(ctx, p.h, policies.Variant{Name: leverName, Policy: leverName, Budget: budget, NoLookup: true})
	if err != nil {
		return err
	}
	var chain, plainly, chained []float64 // of each prompt: best chain ÷ plain, lever without look-up ÷ plain, and ÷ best chain
	for i, x := range without {
		for j, rate := range x.rates {
			plain, best := c.best[0][i].rates[j], c.best[1][i].rates[j]
			chain, plainly, chained = append(chain, best/plain), append(plainly, rate/plain), append(chained, rate/best)
		}
	}
	right := 100 * (one.accepted - 1)
	p.right = append(p.right, right)
	for i, ratios := range [][]float64{c.overPlain, plainly, chain} {
		p.over[i] = append(p.over[i], bench.GeometricMean(ratios))
	}
	for i, ratios := range [][]float64{c.overChain, chained} {
		p.overChain[i] = append(p.overChain[i], bench.GeometricMean(ratios))
	}
	p.table.Add(name, right, acceptedOf(c.best[1]), acceptedOf(c.best[2]),
		bench.GeometricMean(c.overPlain), meanInterval(c.overPlain), bench.GeometricMean(c.overChain), meanInterval(c.overChain), bench.GeometricMean(plainly), bench.GeometricMean(chained))
	return nil
}

// acceptedOf returns the geometric mean of the tokens of a pass.
func acceptedOf(results []result) float64 {
	var all []float64
	for _, x := range results {
		all = append(all, x.accepted)
	}
	return bench.GeometricMean(all)
}
