// Package rehearsal tells what pruning at each exit layer would keep and save, without pruning: to choose an exit layer, and to compare
// predictors with the draft's own probabilities.
package rehearsal

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/spec"
)

// Pruner watches passes of a [spec.Generator], of which it drops nothing. Beside each predictor it tries a blind one, which gives all
// candidates the same score: what remains is the draft's calibrated estimate.
type Pruner struct {
	layers int
	trials []trial
	passes []pass
	tree   *spec.Tree
}

// trial is pruning by one predictor.
type trial struct {
	predictor spec.Predictor
	exit      *spec.EarlyExit
}

// pass is what one pass showed: of each node its parent, whether it was accepted, and its chance in each trial.
type pass struct {
	parents  []int32
	accepted []bool
	chances  [][]float64
}

// blind knows nothing.
type blind struct{ spec.Predictor }

func (blind) Look([]float32, []int) {}

func (blind) Score(dst []float32, _ int, _ []int32) { clear(dst) }

// New returns a Pruner that tries predictors of a target with the given number of layers.
func New(predictors []spec.Predictor, layers int) (*Pruner, error) {
	p := &Pruner{layers: layers}
	for _, predictor := range predictors {
		for _, tried := range []spec.Predictor{predictor, blind{predictor}} {
			exit, err := spec.NewEarlyExit(spec.ExitOptions{Predictors: []spec.Predictor{tried}, Layers: layers, Loss: 0.5})
			if err != nil {
				return nil, fmt.Errorf("rehearsal: %w", err)
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
			if _, err := t.exit.Prune(layer, nodes, hidden); err != nil {
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

// Curve is what pruning by one predictor gives.
type Curve struct {
	Layer  int     `json:"layer"` // after which nodes are dropped, counted from 0
	Blind  bool    `json:"blind"` // by what the draft says alone
	Points []Point `json:"points"`
}

// Point is what dropping the nodes of a chance below Threshold does.
type Point struct {
	Threshold float64 `json:"threshold"`
	Recall    float64 `json:"recall"` // part of the accepted nodes that goes on, roots not counted
	Whole     float64 `json:"whole"`  // part of the passes of which all accepted nodes go on
	Saved     float64 `json:"saved"`  // part of rows × layers
}

// Thresholds are those at which a [Curve] has points.
var Thresholds = []float64{0, 1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1}

// Curves returns a curve for each predictor, and one for the draft alone at the same layer.
func (p *Pruner) Curves() []Curve {
	var all []Curve
	for i, t := range p.trials {
		_, isBlind := t.predictor.(blind)
		curve := Curve{Layer: t.predictor.Layer(), Blind: isBlind}
		for _, threshold := range Thresholds {
			curve.Points = append(curve.Points, p.point(i, threshold))
		}
		all = append(all, curve)
	}
	return all
}

func (p *Pruner) point(trial int, threshold float64) Point {
	var accepted, kept, whole, dropped, rows int
	for _, pass := range p.passes {
		chances := pass.chances[trial]
		lost := false
		path := surest(pass.parents, chances)
		for node := range chances {
			stays := chances[node] >= threshold || path[node]
			if !stays {
				dropped++
			}
			if pass.accepted[node] && node > 0 {
				accepted++
				if stays {
					kept++
				} else {
					lost = true
				}
			}
		}
		rows += len(chances)
		if !lost {
			whole++
		}
	}
	left := float64(p.layers - p.trials[trial].predictor.Layer() - 1)
	return Point{
		Threshold: threshold,
		Recall:    float64(kept) / float64(max(1, accepted)),
		Whole:     float64(whole) / float64(max(1, len(p.passes))),
		Saved:     float64(dropped) * left / float64(max(1, rows*p.layers)),
	}
}

// surest returns which nodes are on the path of the best child of each node, from the root down.
func surest(parents []int32, chances []float64) []bool {
	best := make([]int, len(parents))
	for node := len(parents) - 1; node > 0; node-- {
		if b := best[parents[node]]; b == 0 || chances[node] >= chances[b] {
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
