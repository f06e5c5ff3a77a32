// Package distill trains the early-exit predictor of a target: the low-rank map by which drafted tokens are judged half-way through
// verification. It is a package of its own because it alone links gorgonia, which a program that only generates text must not.
//
// [Run] does, in this order:
//
//  1. Samples. The target answers prompts with trees of 64 nodes, most greedily and some at a temperature, and runs over text. For each token of the
//     answers and the text the hidden states at the candidate exit layers and the 32 most probable next tokens with their logits are appended to
//     samples.bin in the folder Work; for each token of the greedy answers, to choices.bin, what there was to pick from: the draft's
//     candidates with its calibrated chances, and which of them the target picked, or none.
//  2. Distillation, for each exit layer e. With h the hidden state after e, h' = h/rms(h), W the target's output matrix with the gain of its final norm,
//     and A and U of shape [width][rank], the predictor's logits are z_s = W·U·Aᵀ·h'. gorgonia minimises the paper's distillation loss (arXiv
//     2605.16786), L = τ²·mean KL(softmax(z_t/τ) ‖ softmax(z_s/τ)), by Adam over mini-batches. The target's distribution is cut to the tokens
//     of the sample; the predictor's goes over all tokens that are probable anywhere in the batch, and others at random, 1024 in all.
//     Training starts from the directions in which W's rows differ most.
//  3. Choices. A and U, a row o for another token than the candidates, and the weights by which the predictor is blended with the draft are trained on
//     choices.bin: the chance of what the target picked, by both together, is made as large as it gets. It is on drafted candidates that a
//     predictor is used, it is to know what the draft does not, and greedy answers follow the first of the target's tokens alone, however
//     probable the second: all three are in these samples, and none in the distillation loss.
//  4. Selection. The target answers the held-out prompts with trees of 64 nodes, of which nothing is pruned, and it is noted what each predictor would have
//     saved while 97 % of the accepted nodes go on. The one that saves most, and those of other layers that save at least another hundredth beside
//     it, are written to the store, as Aᵀ and W·U in Q8_0: a score is then one product of rank numbers, and the head need not be in memory.
//
// Both trainings halve their rate where the loss on what was held out does not fall, and end where that did not help twice. The state after each epoch is
// a checkpoint.
//
// A run that was interrupted goes on from the samples and checkpoints in Work, and all is the same for the same seed, text, models and kernels.
// Only where it was interrupted while samples were collected, the calibration of the draft begins anew, so that chances in choices.bin differ a little.
//
// Usage:
//
//	report, err := distill.Run(ctx, distill.Options{Model: "target.lever", Draft: "draft.lever", Text: []string{"corpus/"}, Work: "work", Seed: 1})
//	fmt.Println("predictors after layers", report.Chosen)
//
// Command lever-distill is this with flags, and examples/distill a short program that does it.
//
// Limits: Work takes 4·width bytes for each exit and token.
//
// # Errors
//
// The package has none of its own to tell apart. Causes come through wrapped, with what was being done: those of opening models and of the
// store (see packages lever and weights), [io/fs.ErrNotExist] for text and prompts that are not there, and the error of the context. Options that
// do not fit the model, too few samples or choices, samples in Work that are cut short and a loss that is not finite are told in words. The
// store is not touched before all else is done.
package distill
