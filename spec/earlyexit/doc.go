// Package earlyexit prunes trees half-way through the target: after some of its layers a predictor looks at the target's own hidden states, and the
// branches that are not worth the remaining layers are dropped (Lever: Speculative LLM Inference on Smartphones, arXiv 2605.16786).
//
// Usage:
//
//	pruner, err := earlyexit.New(earlyexit.Options{Predictors: predictors, Layers: layers})
//	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: policy, Pruner: pruner})
//
// Predictors are trained by package distill and kept in the target's store; *layers.Predictor computes them. With a policy that is a [Pricer], as
// gaincost.Lever is, a branch goes if what it may gain is worth less than the time that it takes; otherwise [Options].Loss says how much may be
// given up. The text is the same in all cases.
//
// # Errors
//
// [New] refuses predictors that look at the same layer, or where nothing can be saved.
package earlyexit
