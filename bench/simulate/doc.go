// Package simulate draws the paper's figures for phones and models that are not at hand: what a policy drafts and how much of it is accepted is
// real, what that takes is computed.
//
// Acceptance comes from a real pair of models. A [RecordedModel] asks them once for the tokens after every path that any policy asks for, and
// answers from memory afterwards, so that all policies run unmodified, on the same text, thousands of times. The pair is small; larger ones accept
// more or less, and the ratio between policies changes with that.
//
// Time is virtual. A [Phone] reads flash by a profile, with its tail, into a ring of layers, and computes at the rates of its processors;
// a [Target] has the sizes of a real model. A clock stands between the generator and the policy: it counts the draft's forwards and the
// tree's rows, moves reads and computing along layer by layer over the borders of passes, and tells the policy the times that result.
//
// [Run] makes the figures of "Lever: Speculative LLM Inference on Smartphones" (arXiv 2605.16786), by number there:
//
//  1. verification latency and speed-up by verified tokens (4);
//  2. tokens/s by the budget of trees, 4 to 64 (5);
//  3. phone × model × data set (10);
//  4. draft policies: tokens/s and accepted length (11);
//  5. pruning half-way through the target (10), for which the target itself is asked;
//
// how ratios vary over prompts, models and ways of choosing tokens; how the time of a token grows with context, conversations, size, memory and experts, each
// with the law that it follows; where a cost model that knows only the mean time of reads parts from one that knows their distribution, and how far simulated passes are from real
// ones: those of the pair itself on this machine, streamed from a simulated flash device.
//
// With a parallel draft it also compares that with the other one: tokens/s and accepted tokens, with look-up and without, and the time of drafting at equal
// accepted length.
//
// [RunPairs] compares pairs of models by how often the draft is right, at the cost of one target and phone.
//
// [RunTypes] compares types of a target's weights, and measures them with inflated models on this machine.
//
// Usage:
//
//	r, err := simulate.Run(ctx, simulate.Options{Model: target, Draft: draft, Sets: sets, Record: "pair.trace"})
//	r, err = simulate.Run(ctx, simulate.Options{Replay: "pair.trace"}) // without the models: the same figures
//
// A trace is a text of JSON objects, one a line, in one gzip member, whose CRC-32 is checked:
//
//  1. A header: the format, "lever trace", and its version, 1; target and draft, each by name, SHA-256 of its store's manifest, vocabulary, context,
//     tokens kept after a path, and number of paths; the most tokens of an answer, and those generated beforehand; the tokens that end an answer;
//     the sets, each with its prompts in tokens and the prompt of what is generated beforehand.
//  2. The target's paths, then the draft's, by ascending state. A path is the text from its first token on, prompt and all, as a state of 64 bits:
//     1 for no tokens; to add token t to state s, s ^= t + 0x9e3779b97f4a7c15, s *= 0xbf58476d1ce4e5b9, s ^= s >> 29,
//     s *= 0x94d049bb133111eb, s ^= s >> 32. With it come the likeliest tokens after it, in descending order, their probabilities, and rest, the
//     logarithm of the probability of each other token.
//
// Limits: decoding is greedy unless said otherwise; the policies' own computing takes no time; rates of phones are estimates around public figures, which [Phones] names.
//
// # Errors
//
// A replay that asks for what its trace lacks ends with [ErrNotRecorded]. Traces of another version, model or settings, and damaged ones, are told in
// words, with the file; causes of other failures come through wrapped.
package simulate
