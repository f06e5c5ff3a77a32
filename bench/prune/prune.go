package prune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/dryrun"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
	"github.com/lever-go/lever/spec/gaincost"
)

// Options say what [Run] measures. Model, Draft and Sets must be set; the store of the target must have a predictor.
type Options struct {
	Model, Draft string
	Sets         []bench.Set
	Prompts      int // of each set; if zero, 6
	Tokens       int // of each answer; if zero, 64
	Threads      int // if zero, one per performance core
	// Progress, if not nil, is called with the number of answers done.
	Progress func(done, total int)
}

// Budget is the most drafted tokens of a tree.
const Budget = 64

// Goals for what pruning gives.
const (
	goalRecall = 0.97
	goalSaved  = 0.40
	goalTime   = 0.25 // of the verification time on a machine that computes slowly
	goalLength = 0.98 // of the accepted tokens, meanwhile
	goalOwn    = 0.02 // of the time of a pass, for the predictor
)

// curvePolicies are those on whose trees exits are compared, beside lever's own.
var curvePolicies = []string{"opttree", "eagle2", "sequoia", "specinfer"}

// lossShares are the parts of the expected accepted nodes that pruning of fixed trees may give up.
var lossShares = []float64{0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1}

// run is a measurement on its way.
type run struct {
	Options
	engine     *lever.Engine
	predictors func() ([]earlyexit.Predictor, error)
	prompts    [][]int32
	plain      [][]int32 // what plain decoding answers
	different  int
	answers    int
	done       int
	total      int
}

// Run measures. It takes minutes.
func Run(ctx context.Context, o Options) (out *report.Report, err error) {
	if o.Model == "" || o.Draft == "" || len(o.Sets) == 0 || min(o.Prompts, o.Tokens, o.Threads) < 0 {
		return nil, errors.New("prune: a target, a draft and prompts are needed, and no negative numbers")
	}
	if o.Prompts == 0 {
		o.Prompts = 6
	}
	if o.Tokens == 0 {
		o.Tokens = 64
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Draft: o.Draft, Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	r := &run{Options: o, engine: engine, predictors: engine.Predictors}
	began := time.Now()
	if out, err = r.run(ctx); err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	out.End(began)
	return out, nil
}

func (r *run) run(ctx context.Context) (*report.Report, error) {
	predictors, err := r.predictors()
	if err != nil {
		return nil, err
	}
	if len(predictors) == 0 {
		return nil, fmt.Errorf("%s has no predictor: lever-distill trains one", r.Model)
	}
	for _, set := range r.Sets {
		for _, p := range set.Prompts[:min(r.Prompts, len(set.Prompts))] {
			ids, err := r.engine.Encode(ctx, p.Request())
			if err != nil {
				return nil, err
			}
			r.prompts = append(r.prompts, ids)
		}
	}
	r.total = len(r.prompts) * (2 + len(curvePolicies) + 1 + len(lossShares) + 2*len(platforms()))
	out := report.New("prune", "Pruning trees half-way through verification")
	out.Set("models", filepath.Base(r.Model)+", "+filepath.Base(r.Draft))
	out.Set("answers", fmt.Sprintf("%d, of %s at most; trees of %d nodes", len(r.prompts), plural.Of(r.Tokens, "token"), Budget))
	if err := r.decodePlainly(ctx); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context, *report.Report) error{r.curves, r.fixedTrees, r.platforms} {
		if err := part(ctx, out); err != nil {
			return nil, err
		}
	}
	out.Find("%s compared with plain decoding: %d differ", plural.Of(r.answers, "answer"), r.different)
	if r.different > 0 {
		return out, fmt.Errorf("%d of %d answers are not those of plain decoding", r.different, r.answers)
	}
	return out, nil
}

func (r *run) decodePlainly(ctx context.Context) error {
	options := r.engine.SpecOptions()
	options.Draft, options.Policy, options.Pruner = nil, nil, nil
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return err
	}
	for _, prompt := range r.prompts {
		result, err := generator.Generate(ctx, r.request(prompt), nil)
		if err != nil {
			return err
		}
		r.plain = append(r.plain, result.Tokens)
		r.step()
	}
	return nil
}

func (r *run) request(prompt []int32) spec.Request {
	return spec.Request{Prompt: prompt, MaxTokens: r.Tokens, StopTokens: r.engine.Tokenizer().EOS()}
}

func (r *run) step() {
	r.done++
	r.Progress(r.done, r.total)
}

// answer lets a policy answer all prompts, and adds up the statistics.
func (r *run) answer(ctx context.Context, policy spec.Policy, draft spec.Decoder, pruner spec.Pruner) (sum spec.Stats, err error) {
	options := r.engine.SpecOptions()
	options.Policy, options.Pruner, options.Budget = policy, pruner, Budget
	if draft != nil {
		options.Draft = draft
	}
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return sum, err
	}
	for i, prompt := range r.prompts {
		result, err := generator.Generate(ctx, r.request(prompt), nil)
		if err != nil {
			return sum, err
		}
		if r.answers++; !slices.Equal(result.Tokens, r.plain[i]) {
			r.different++
		}
		s := result.Stats
		sum.Tokens, sum.Passes, sum.Drafted = sum.Tokens+s.Tokens, sum.Passes+s.Passes, sum.Drafted+s.Drafted
		sum.Pruned, sum.WronglyPruned = sum.Pruned+s.Pruned, sum.WronglyPruned+s.WronglyPruned
		sum.RowLayers, sum.RowLayersSaved = sum.RowLayers+s.RowLayers, sum.RowLayersSaved+s.RowLayersSaved
		sum.ComputeSeconds += s.ComputeSeconds
		r.step()
	}
	sum.AcceptedPerPass = float64(sum.Tokens) / float64(max(1, sum.Passes))
	return sum, nil
}

// saved returns the part of rows × layers that was saved.
func saved(s spec.Stats) float64 { return float64(s.RowLayersSaved) / float64(max(1, s.RowLayers)) }

// curves compares exits.
func (r *run) curves(ctx context.Context, out *report.Report) error {
	t := out.AddTable(fmt.Sprintf("saved %% of rows × layers at a recall of %.0f %%", 100*goalRecall),
		report.Text("trees"), report.Text("after layer"), report.Number("predictor", 1), report.Number("draft alone", 1), report.Number("nodes/pass", 1), report.Number("accepted/pass", 2))
	for _, name := range append([]string{"lever"}, curvePolicies...) {
		predictors, err := r.predictors()
		if err != nil {
			return err
		}
		watcher, err := dryrun.New(predictors, r.engine.Model().Layers)
		if err != nil {
			return err
		}
		var policy spec.Policy
		if name == "lever" {
			policy, err = dryrun.NewPolicy()
		} else {
			policy, err = lever.NewPolicy(name, Budget)
		}
		if err != nil {
			return err
		}
		s, err := r.answer(ctx, policy, nil, watcher)
		if err != nil {
			return err
		}
		var layers []int
		for _, p := range predictors {
			layers = append(layers, p.Layer())
		}
		r.addCurves(out, t, name, s, layers, watcher)
	}
	return nil
}

// leastRecall is where the axes of recall begin, in percent: below, too much is lost.
const leastRecall = 90

// addCurves adds what each exit saves, and all together.
func (r *run) addCurves(out *report.Report, t *report.Table, name string, s spec.Stats, layers []int, watcher *dryrun.Pruner) {
	p := out.AddPlot(report.Plot{Name: "curve-" + name, Title: "Trees of " + name + ": accepted nodes kept against work saved", X: "saved % of rows × layers", Y: "recall of accepted nodes, %", YMin: leastRecall, YMax: 100})
	var exits [][]int
	for _, layer := range layers {
		exits = append(exits, []int{layer})
	}
	if len(layers) > 1 {
		exits = append(exits, layers)
	}
	best, bestBlind := 0.0, 0.0
	for _, at := range exits {
		var saved [2]float64
		for i, blind := range []bool{false, true} {
			curve := watcher.Curve(at, blind)
			saved[i] = curve.SavedAt(goalRecall)
			series := report.Series{Name: "predictor after " + layerNames(at), Dashed: blind}
			if blind {
				series.Name = "draft alone, after " + layerNames(at)
			}
			for _, at := range curve.Points {
				series.X, series.Y = append(series.X, 100*at.Saved), append(series.Y, 100*at.Recall)
			}
			p.Add(series)
		}
		best, bestBlind = max(best, saved[0]), max(bestBlind, saved[1])
		t.Add(name, layerNames(at), 100*saved[0], 100*saved[1], float64(s.Drafted)/float64(s.Passes), s.AcceptedPerPass)
	}
	out.Find("trees of %s: %.1f %% of rows × layers saved at a recall of %.0f %% (goal %.0f %%); by the draft alone %.1f %%",
		name, 100*best, 100*goalRecall, 100*goalSaved, 100*bestBlind)
}

// layerNames lists layers in a few letters.
func layerNames(layers []int) string { return strings.Trim(fmt.Sprint(layers), "[]") }

// fixedTrees prunes trees of all nodes more and more.
func (r *run) fixedTrees(ctx context.Context, out *report.Report) error {
	t := out.AddTable("trees of 64 nodes, pruned for a share of the expected accepted nodes; times on a machine that computes slowly",
		report.Text("share"), report.Number("accepted/pass", 2), report.Number("of unpruned %", 1), report.Number("verify ms/pass", 0), report.Number("less %", 1),
		report.Number("saved %", 1), report.Number("wrong/pass", 3))
	var whole spec.Stats
	wholeTime, best := 0.0, 0.0
	for _, share := range append([]float64{0}, lossShares...) {
		policy, err := dryrun.NewPolicy()
		if err != nil {
			return err
		}
		c, err := newClock(policy, platforms()[0], r.engine.SpecOptions().Draft)
		if err != nil {
			return err
		}
		var pruner spec.Pruner
		if share > 0 {
			predictors, err := r.predictors()
			if err != nil {
				return err
			}
			if pruner, err = earlyexit.New(earlyexit.Options{Predictors: predictors, Layers: r.engine.Model().Layers, Loss: share}); err != nil {
				return err
			}
		}
		s, err := r.answer(ctx, c, c.draft, pruner)
		if err != nil {
			return err
		}
		perPass := c.verifying / float64(s.Passes)
		name := fmt.Sprint(share)
		if share == 0 {
			whole, wholeTime, name = s, perPass, "off"
		}
		length, less := s.AcceptedPerPass/whole.AcceptedPerPass, 1-perPass/wholeTime
		if length >= goalLength {
			best = max(best, less)
		}
		t.Add(name, s.AcceptedPerPass, 100*length, 1e3*perPass, 100*less, 100*saved(s), float64(s.WronglyPruned)/float64(s.Passes))
	}
	out.Find("trees of %d nodes on a machine that computes slowly: verification takes %.1f %% less time at %.0f %% of the accepted tokens or more (goal %.0f %%)",
		Budget, 100*best, 100*goalLength, 100*goalTime)
	return nil
}

// platforms compares lever with and without pruning.
func (r *run) platforms(ctx context.Context, out *report.Report) error {
	t := out.AddTable("policy lever by platform", report.Text("platform"), report.Text("pruning"), report.Number("tokens/s", 2), report.Number("accepted/pass", 2),
		report.Number("nodes/pass", 1), report.Number("draft ms", 0), report.Number("verify ms", 0), report.Number("saved %", 1), report.Number("wrong/pass", 3))
	for _, d := range platforms() {
		var rates, verify, length, nodes [2]float64
		for i, pruned := range []bool{false, true} {
			policy, err := gaincost.NewLever(gaincost.LeverOptions{Costs: d.costs})
			if err != nil {
				return err
			}
			c, err := newClock(policy, d, r.engine.SpecOptions().Draft)
			if err != nil {
				return err
			}
			var timed *timedPruner
			var pruner spec.Pruner
			if pruned {
				predictors, err := r.predictors()
				if err != nil {
					return err
				}
				exit, err := earlyexit.New(earlyexit.Options{Predictors: predictors, Layers: r.engine.Model().Layers})
				if err != nil {
					return err
				}
				timed = &timedPruner{Pruner: exit}
				pruner = timed
			}
			s, err := r.answer(ctx, pricedClock{c, policy}, c.draft, pruner)
			if err != nil {
				return err
			}
			passes := float64(s.Passes)
			rates[i], verify[i], length[i] = float64(s.Tokens)/(c.drafting+c.verifying), c.verifying/passes, s.AcceptedPerPass
			nodes[i] = float64(s.Drafted) / passes
			t.Add(d.name, map[bool]string{false: "off", true: "auto"}[pruned], rates[i], length[i], nodes[i], 1e3*c.drafting/passes, 1e3*verify[i], 100*saved(s), float64(s.WronglyPruned)/passes)
			if pruned && d.name == computeBound {
				out.Find("the predictor takes %.2f %% of the time of passes, measured here (goal %.0f %%)", 100*timed.seconds/s.ComputeSeconds, 100*goalOwn)
			}
		}
		out.Find("%s: with pruning, tokens/s %s, time of verification %s, accepted tokens a pass %s, trees of %.1f instead of %.1f nodes",
			d.name, change(rates[1], rates[0]), change(verify[1], verify[0]), change(length[1], length[0]), nodes[1], nodes[0])
	}
	return nil
}

// change says by how much a figure differs from what it was, where that is more than noise.
func change(now, before float64) string {
	const noise = 0.005
	if part := now/before - 1; math.Abs(part) >= noise {
		return fmt.Sprintf("%+.1f %%", 100*part)
	}
	return "as before"
}

// timedPruner counts the time that pruning takes.
type timedPruner struct {
	*earlyexit.Pruner
	seconds float64
}

func (p *timedPruner) Begin(tree *spec.Tree, policy spec.Policy) []int {
	defer p.count(time.Now())
	return p.Pruner.Begin(tree, policy)
}

func (p *timedPruner) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	defer p.count(time.Now())
	return p.Pruner.Prune(layer, nodes, hidden)
}

func (p *timedPruner) Observe(o spec.Observation) {
	defer p.count(time.Now())
	p.Pruner.Observe(o)
}

func (p *timedPruner) count(began time.Time) { p.seconds += time.Since(began).Seconds() }
