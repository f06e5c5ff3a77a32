// Package layers is the transformer: parts such as [Linear], [RMSNorm], [Attention] and [MLP], the [Block] of Llama and Qwen3
// composed of them, and the [Decoder], which runs blocks over a key-value cache that can hold a tree of possible continuations.
//
// # Layout
//
//  1. Rows of the residual stream are float32 [n][width]. A part's Forward takes n rows and writes n rows.
//  2. Weights come by name from a [Weights], in the order of use: embedding; for each block N: block.N.attn_norm, .q, .k, .v,
//     .q_norm and .k_norm (Qwen3), .o, .mlp_norm, .gate, .up, .down; final_norm; head, or embedding again where the
//     head is tied to it. Matrices are [outputs][inputs] and packed, norm gains float32 vectors. The parts of a tensor are used
//     as they come and not kept, so that a source may stream them. A layer of your own asks for its tensors in the order in which the store
//     holds them: another one costs a stream reads in every pass, and the Stats of the Streamer of package weights name the tensor that came late.
//  3. The [KVCache] gives each row a slot, the same in all layers: first the committed rows, which are the text, in order, then the
//     pending rows in the order in which they were forwarded. Keys are stored after the rotation.
//  4. Logits are float32 [rows][vocabulary], without the rows that pad a vocabulary.
//
// # Usage
//
// Package arch builds the decoders of known architectures:
//
//	model, err := arch.Parse(configJSON)
//	...
//	d, err := model.Decoder(weights, arch.Options{Pool: pool})
//	...
//	first, err := d.Forward(ctx, layers.Batch{Tokens: prompt}) // pending rows first, first+1, …
//	err = d.Project(ctx, logits, []int{first + len(prompt) - 1})
//	err = d.Commit(path) // the pending rows that become text
//	_, err = d.Forward(ctx, layers.Batch{Tokens: []int32{a, b, c}, Parents: []int32{-1, 0, 0}}) // a, then b or c
//
// Another architecture is a [Model] of other parts: anything with the Forward of [Layer] can stand in for a Block; see the example of
// [Assemble].
//
// # Trees
//
// A row of a tree sees what it would see in plain decoding, in the same order, and kernels compute a row without regard to the
// others: its logits are those of plain decoding bit for bit, and so is what follows a Commit.
//
// # Devices
//
// With [Workspace.Offload], projections are computed beside the CPU where that is faster. Whatever can't be, the CPU computes.
//
// # Limits
//
// Nothing here is safe for concurrent use except where stated; work inside a pass is spread over a [kernels.Pool]. A decode step with
// a source that allocates nothing allocates nothing, except a page of cache every 256 rows.
//
// # Errors
//
//   - [ErrUnsupported]: a tensor is of a type that layers do not compute with.
//   - [ErrContextFull]: the cache has no room for the rows. Nothing was added.
//   - [ErrWiring]: the parts of a model do not fit each other.
//   - [ErrStateful]: layers keep more of the text than a state holds.
//   - [ErrState]: a saved state is of a decoder of another shape.
//
// Errors of the [Weights] come through wrapped, with the name of the tensor. After an error in a pass its rows are not there.
package layers
