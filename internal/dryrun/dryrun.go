// Package dryrun tells what pruning at each exit layer would keep and save, without pruning: to choose an exit layer, and to compare
// predictors with the draft's own probabilities.
package dryrun

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
)

// Pruner watches passes of a [spec.Generator], of which it drops nothing. Beside each predictor it tries a blind one, which gives all
// candidates the same score: what remains is the draft's calibrated estimate.
type Pruner struct {
	layers int
	trials []trial
	passes []pass
	tree   *spec.Tree
	nodes  []int // scratch
}

// trial is pruning by one predictor.
type trial struct {
	predictor earlyexit.Predictor
	exit      *earlyexit.Pruner
}

// pass is what one pass showed: of each node its parent, whether it was accepted, and its chance in each trial.
type pass struct {
	parents  []int32
	accepted []bool
	chances  [][]float64
}

// Blind is a [earlyexit.Predictor] that knows nothing.
type Blind struct {
	After  int // layer
	Tokens int // that it can score
}

// Layer returns the layer after which it does not look.
func (b Blind) Layer() int { return b.After }

// Vocab returns the number of tokens.
func (b Blind) Vocab() int { return b.Tokens }

// Blend gives all weight to the draft.
func (Blind) Blend() layers.BlendWeights { return layers.BlendWeights{Draft: 1} }

// Look does nothing.
func (Blind) Look([]float32, []int) {}

// Score gives all the same.
func (Blind) Score(dst []float32, _ int, _ []int32) { clear(dst) }

// New returns a Pruner that tries predictors of a target with the given number of layers.
func New(predictors []earlyexit.Predictor, layers int) (*Pruner, error) {
	p := &Pruner{layers: layers}
	for _, predictor := range predictors {
		for _, tried := range []earlyexit.Predictor{predictor, Blind{predictor.Layer(), predictor.Vocab()}} {
			exit, err := earlyexit.New(earlyexit.Options{Predictors: []earlyexit.Predictor{tried}, Layers: layers, Loss: 0.5})
			if err != nil {
				return nil, fmt.Errorf("dryrun: %w", err)
			}
			p.trials = append(p.trials, trial{tried, exit})
		}
	}
	return p, nil
}

// Layers returns the number of the target's layers.
func (p *Pruner) Layers() int { return p.layers }

// Begin lets all trials prepare.
func (p *Pruner) Begin(tree *spec.Tree, policy spec.Policy) (layers []int) {
	p.tree = tree
	for _, t := range p.trials {
		layers = append(layers, t.exit.Begin(tree, policy)...)
	}
	slices.Sort(layers)
	return slices.Compact(layers)
}

// Prune lets the trials of a layer say what they would keep, and keeps all.
func (p *Pruner) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	for _, t := range p.trials {
		if t.predictor.Layer() == layer {
			p.nodes = append(p.nodes[:0], nodes...) // which the trial filters in place
			if _, err := t.exit.Prune(layer, p.nodes, hidden); err != nil {
				return nil, err
			}
		}
	}
	return nodes, nil
}

// Observe notes what became of the nodes.
func (p *Pruner) Observe(o spec.Observation) {
	if o.Tree.Len() == 1 {
		return
	}
	now := pass{parents: slices.Clone(o.Tree.Parents()), accepted: make([]bool, o.Tree.Len())}
	for _, node := range o.Path {
		now.accepted[node] = true
	}
	for _, t := range p.trials {
		chances := make([]float64, o.Tree.Len())
		for node := range chances {
			chances[node] = t.exit.Chance(t.predictor.Layer(), node)
		}
		now.chances = append(now.chances, chances)
		t.exit.Observe(o)
	}
	p.passes = append(p.passes, now)
}

// Curve is what pruning after some layers gives.
type Curve struct {
	Layers []int   `json:"layers"` // after which nodes are dropped, counted from 0, ascending
	Blind  bool    `json:"blind"`  // by what the draft says alone
	Points []Point `json:"points"`
}

// Point is what dropping nodes of a low chance does: at each exit those whose chance is below Threshold times the part of the layers that remains, which is
// what dropping them saves.
type Point struct {
	Threshold float64 `json:"threshold"`
	Recall    float64 `json:"recall"` // part of the accepted nodes that goes on, roots not counted
	Whole     float64 `json:"whole"`  // part of the passes of which all accepted nodes go on
	Saved     float64 `json:"saved"`  // part of rows × layers
}

// Thresholds are those at which a [Curve] has points.
var Thresholds = []float64{
	0, 1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.014, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.14, 0.2, 0.3, 0.4, 0.6, 1, 2,
}

// Curve returns what pruning after the given layers would do, by the predictors there or by the draft alone.
func (p *Pruner) Curve(layers []int, blind bool) Curve {
	curve := Curve{Layers: layers, Blind: blind}
	var trials []int
	for i, t := range p.trials {
		if _, isBlind := t.predictor.(Blind); isBlind == blind && slices.Contains(layers, t.predictor.Layer()) {
			trials = append(trials, i)
		}
	}
	for _, threshold := range Thresholds {
		curve.Points = append(curve.Points, p.point(trials, threshold))
	}
	return curve
}

func (p *Pruner) point(trials []int, threshold float64) Point {
	var accepted, kept, whole, rows int
	saved := 0.0
	for _, pass := range p.passes {
		stays := make([]bool, len(pass.parents))
		for node := range stays {
			stays[node] = true
		}
		for _, trial := range trials {
			left := 1 - float64(p.trials[trial].predictor.Layer()+1)/float64(p.layers)
			saved += left * float64(drop(stays, pass.parents, pass.chances[trial], threshold*left))
		}
		lost := false
		for node := range stays {
			if pass.accepted[node] && node > 0 {
				accepted++
				if stays[node] {
					kept++
				} else {
					lost = true
				}
			}
		}
		rows += len(stays)
		if !lost {
			whole++
		}
	}
	return Point{
		Threshold: threshold,
		Recall:    float64(kept) / float64(max(1, accepted)),
		Whole:     float64(whole) / float64(max(1, len(p.passes))),
		Saved:     saved / float64(max(1, rows)),
	}
}

// drop takes from stays the nodes of a chance below least that are not on the path of the best child of each node, and returns their number.
func drop(stays []bool, parents []int32, chances []float64, least float64) (n int) {
	path := surest(stays, parents, chances)
	for node := range stays {
		if stays[node] && chances[node] < least && !path[node] {
			stays[node] = false
			n++
		}
	}
	return n
}

// surest returns which nodes are on the path of the best child of each node, from the root down, among those that are there.
func surest(there []bool, parents []int32, chances []float64) []bool {
	best := make([]int, len(parents))
	for node := len(parents) - 1; node > 0; node-- {
		if b := best[parents[node]]; there[node] && (b == 0 || chances[node] >= chances[b]) {
			best[parents[node]] = node
		}
	}
	path := make([]bool, len(parents))
	path[0] = true
	for node := best[0]; node > 0; node = best[node] {
		path[node] = true
	}
	return path
}

// SavedAt returns the largest part of rows × layers that can be saved with at least the given recall, interpolated between points.
func (c *Curve) SavedAt(recall float64) float64 {
	saved := 0.0
	for i, at := range c.Points {
		if at.Recall >= recall {
			saved = max(saved, at.Saved)
			continue
		}
		if i > 0 && c.Points[i-1].Recall >= recall {
			before := c.Points[i-1]
			part := (before.Recall - recall) / (before.Recall - at.Recall)
			saved = max(saved, before.Saved+part*(at.Saved-before.Saved))
		}
	}
	return saved
}
