// Package gaincost drafts by gain and cost: its policy [Lever] grows the tree that makes the most of a pass on a machine, the expected number of
// accepted tokens against the time of the pass (Lever: Speculative LLM Inference on Smartphones, arXiv 2605.16786).
//
//  1. [Costs] is what a profile says of the machine: the time to read each layer, to compute rows, and to draft.
//  2. [CostModel] predicts the time of a pass from them, as a pipeline that reads ahead, and corrects itself by what passes took.
//  3. [Calibration] turns the probabilities that a source gives candidates into how often they are right; [Estimator] has one for each source.
//  4. [Lookup] finds what followed the latest tokens earlier in the sequence and in [Answers], for nothing; the policy [NGram] drafts with that alone.
//
// Usage:
//
//	policy, err := gaincost.NewLever(gaincost.LeverOptions{Costs: costs}) // costs as lever profile measures them
//	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: policy})
//
// A policy learns while it is used, and serves one generator at a time.
//
// # Errors
//
// Options and costs that make no sense are refused in words; errors of the draft model come through as they are.
package gaincost
