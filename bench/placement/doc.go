// Package placement compares ways to place the work of speculation on the CPU and the NPU of a phone: where drafts are computed
// ([DraftScheduling]) and where the logits of verified trees ([Projection]).
//
// What is to be computed is recorded: the demo pair answers prompts, with trees that the policy lever grows for an 8B model on flash, and every
// draft forward, tree and accepted path is noted, also with a draft that predicts several tokens in one forward ([Options].Parallel). What that takes on a phone is reckoned: the shapes of real models, the rates of a profile
// (package profiles), and the costs by which the scheduler itself decides (package offload). So figures are those of simulated phones, the same on
// every machine, and as good as the profiles, whose sources say which of their figures are published.
//
// Usage:
//
//	r, err := placement.Record(ctx, placement.Options{Model: target, Draft: draft, Sets: sets})
//	report, err := placement.DraftScheduling(r)
//
// Limits: only products with weights count; attention, norms, activations and copies don't. Draft and target of the recording are far smaller
// than the models whose shapes are reckoned with, and agree as they do, not as those would.
package placement
