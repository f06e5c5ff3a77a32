// Package baseline has the draft policies that others have published, each set up as its source says, for comparison and where their simple rules
// are enough:
//
//	Chain       the draft's greedy continuation, of fixed length
//	SpecInfer   one shape: so many children for each node of a level
//	Sequoia     one shape: the best for how often the draft's first, second, … candidate is right
//	OPTTree     most expected tokens by the draft's probabilities; drafts on while a level adds enough
//	EAGLE2      expands a few nodes on each of a fixed number of levels, then keeps the most probable
//	PowerServe  a chain that splits where the draft is in doubt, filled up with leaves
//	PARD        the draft's greedy continuation, of a draft that predicts all of it in one forward
//
// Usage:
//
//	policy, err := baseline.NewChain(8, 0)
//	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: policy})
//
// A policy serves one generator at a time.
//
// # Errors
//
//   - [spec.ErrNoDraft]: all of them need a draft model.
//   - [spec.ErrNotParallel]: PARD needs one that predicts several tokens at once.
package baseline
