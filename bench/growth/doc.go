// Package growth measures how the cost of a pass grows, with one curve for each thing that it depends on:
//
//  1. context: seconds of a token of plain decoding, and of taking in the prompt, by the length of the text before it;
//  2. budget: seconds of verifying a tree, by its rows;
//  3. size: seconds of a pass, by the bytes of weights that it uses, over several models;
//  4. dram: bytes read and seconds of a pass, by the part of the target in memory, the rest streamed from a simulated flash device;
//  5. threads: seconds of a pass, by the number of workers.
//
// A pass is a forward of a tree's rows and the logits of its root: what it takes where no drafted token is accepted, and with one row
// a token of plain decoding without the choice. Each point is the median of several passes after one that warms up.
//
// Usage:
//
//	flash, err := flashsim.Load("ufs-4.0")
//	r, err := growth.Run(ctx, growth.Options{Model: target, Draft: draft, Flash: flash, PassBytes: 4_500_000_000})
//
// Limits: tokens are arbitrary, as no time depends on which they are. The simulated device takes the same time anywhere, but computing
// hides some of it: on a small model, whose flash is slowed down so that a pass takes as long as a large one's, next to nothing.
package growth
