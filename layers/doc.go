// Package layers has the parts of decoder-only language models, such as [Attention], [ShortConv], [MLP], [Experts] and [Norm], the [Block]
// that is composed of them, and the [Decoder], which runs layers over a [KVCache] that can hold a tree of possible continuations.
//
// # Layout
//
//  1. Rows of the residual stream are float32 [n][width]. A part's Forward takes n rows and writes n rows.
//  2. Weights come by name from a [Weights]. Each part says which names it adds to a name of yours, in the order in which it reads them.
//     Matrices are [outputs][inputs] and packed; gains, biases and the like are float32 vectors. A [Weights] may give a matrix
//     a range of rows at a time, which is used as it comes and not kept, so that a stream can. A layer of your own asks for its tensors in the order in which the store
//     holds them: another one costs a stream reads in every pass, and the Stats of the Streamer of package weights name the tensor that came late.
//  3. The [KVCache] gives each row a slot, the same in all layers: first the committed rows, which are the text, in order, then the
//     pending rows in the order in which they were forwarded. Keys are stored after the rotation. Layers may differ in heads, sizes and
//     windows.
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
// # Models of your own
//
// A [DecoderConfig] lists what a Decoder runs. Its layers are anything with the Forward of [Layer], the mixer and the MLP of a Block anything with that of
// [Sublayer], and embedding, last norm and head are interfaces too: see the examples of [NewDecoder] and of [RowStates], a recurrent model.
// What a layer keeps of the text beside keys and values it hands to the Decoder as a [State]. docs/porting-a-model.md has a table of which
// architecture needs what, and the rules that keep trees exact.
//
// # Trees
//
// A row of a tree sees what it would see in plain decoding, in the same order, and kernels compute a row without regard to the
// others: its logits are those of plain decoding bit for bit, and so is what follows a Commit.
//
// # Sequences
//
// A Decoder may hold several sequences, [Decoder.NewSequence] and [Sequence.Fork], and compute rows of any of them in one pass, [Decoder.ForwardAll]:
// weights are read once for all, and each row has the bits that it has alone.
//
// # Devices
//
// With [Workspace.Offload], projections are computed beside the CPU where that is faster. Whatever can't be, the CPU computes.
//
// # Limits
//
// The ready parts know no positions but rotary ones, and no experts that all rows share; layers of your own may. Soft-caps, convolutions,
// most activations and what goes on between the streams of [AltUp] are computed in plain Go.
//
// Nothing here is safe for concurrent use except where stated; work inside a pass is spread over a [kernels.Pool]. A decode step with
// a source that allocates nothing allocates nothing, except a page of cache every 256 rows.
//
// # Errors
//
//   - [ErrUnsupported]: a tensor is of a type that layers do not compute with.
//   - [ErrContextFull]: the cache has no room for the rows. Nothing was added.
//   - [ErrWiring]: the parts of a model do not fit each other.
//   - [ErrNotKept]: a text can't be shortened because layers have given up what is before. Nothing has changed; it can be emptied.
//   - [ErrStateful]: layers keep, or may keep, what can't be saved or forked.
//   - [ErrState]: a saved state is of a decoder of another shape.
//
// Errors of the [Weights] come through wrapped, with the name of the tensor. After an error in a pass its rows are not there.
package layers
