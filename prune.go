package lever

import (
	"fmt"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
	"github.com/lever-go/lever/weights"
)

// Values of [Config].Prune that are not shares.
const (
	PruneAuto = 0.0
	PruneOff  = -1.0
)

// Reasons why nothing is pruned, for [Result].NoPruning.
const (
	noPruningOff       = "it is turned off"
	noPruningPredictor = "the target has no predictor"
	noPruningPolicy    = "the policy does not know what a pass costs, and no share to give up is set"
)

// Predictors returns the predictors of the target's store, in the order of their layers. Each call makes new ones, for one user at a time.
func (e *Engine) Predictors() ([]earlyexit.Predictor, error) {
	stored, err := e.target.store.Predictors()
	if err != nil {
		return nil, err
	}
	var predictors []earlyexit.Predictor
	for i := range stored {
		p, err := e.NewPredictor(&stored[i])
		if err != nil {
			return nil, err
		}
		predictors = append(predictors, p)
	}
	return predictors, nil
}

// NewPredictor returns a predictor for the target, which shares the memory of its stored form; it serves one user at a time.
// Without a stored form it fails with [weights.ErrArgument].
func (e *Engine) NewPredictor(s *weights.StoredPredictor) (earlyexit.Predictor, error) {
	if s == nil {
		return nil, fmt.Errorf("lever: new predictor: there is no stored one: %w", weights.ErrArgument)
	}
	p, err := layers.NewPredictor(layers.PredictorConfig{
		Layer: s.Layer, NormEps: s.NormEps, Blend: layers.BlendWeights{Draft: s.Blend[0], Predictor: s.Blend[1], Other: s.Blend[2]}, Down: s.Down, Out: s.Out,
	}, e.target.decoder.Width(), e.pool)
	if err != nil {
		return nil, fmt.Errorf("predictor after layer %d: %w", s.Layer, err)
	}
	if p.Vocab() < e.target.decoder.Vocab() {
		return nil, fmt.Errorf("predictor after layer %d knows %d of %d tokens", s.Layer, p.Vocab(), e.target.decoder.Vocab())
	}
	return p, nil
}

// newExit returns what prunes trees; nil if there are no predictors or none are wanted, and why.
func (e *Engine) newExit() (exit *earlyexit.Pruner, why string, err error) {
	if e.prune == PruneOff {
		return nil, noPruningOff, nil
	}
	predictors, err := e.Predictors()
	if err != nil { // it saves time and never changes the text, so that one can do without
		return nil, err.Error(), nil
	}
	if len(predictors) == 0 {
		return nil, noPruningPredictor, nil
	}
	exit, err = earlyexit.New(earlyexit.Options{Predictors: predictors, Layers: e.target.described.Layers, Loss: e.prune})
	return exit, "", err
}

// NoPruning returns why a policy's trees are not pruned; empty if they are, or if there are none.
func (e *Engine) NoPruning(policy spec.Policy) string {
	if _, none := policy.(spec.None); none || policy == nil {
		return ""
	}
	if _, prices := policy.(earlyexit.Pricer); e.noPruning == "" && !prices && e.prune == PruneAuto {
		return noPruningPolicy
	}
	return e.noPruning
}
