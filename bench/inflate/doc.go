// Package inflate blows a small trained model up to the shape, and so to the cost, of a large one without changing what it computes, so that
// speed can be measured at full size with text that means something, and without a download.
//
// The small model is placed in the corner of the large one:
//
//  1. The residual stream keeps its columns and gets more. Blocks of weights that nothing was placed in have scale 0 and random quants, which
//     storage can't shorten and kernels multiply like any others; so the new columns stay 0, but for one.
//
//  2. The mean in a norm is over more columns: gains are multiplied by √(small/large width), eps by small/large width.
//
//  3. Its layers are spread over the new ones. The others add exactly 0 to the residual stream: their o and down have scale 0, while
//     the rest of them is computed with random numbers.
//
//  4. Heads go to the places that keep their groups of keys and values. Where the shape has heads of another size, there are as many more
//     or fewer of the model's own size: the matrices are the same.
//
//  5. Tokens are added up to the vocabulary. Their logits must not take part in a softmax: the embedding of every real token has a
//     constant in one new column, which no layer changes and whose square eps makes room for; there the final norm has a large gain,
//     and the rows of added tokens a negative weight, so that their logits are far below all others.
//
//  6. A shape with experts gets them in place of the MLP of every block. All of a layer hold the same MLP, so that the output is its output whichever
//     are chosen, as their weights sum up to 1. Routers choose them by the hidden states, as often the same ones as in a model that
//     exists: greedy decoding finds 76 % of 8 of 128 experts among the quarter used last, and two rows in a row need 1.7 times the experts of one,
//     4 rows 2.7 times, and 8 rows 4 times. The model is then a sparse Qwen3 or, of a Llama, a sparse Granite, whose multipliers are neutral.
//
// Logits are those of the small model but for rounding in norms, where the mean is taken over another number of columns (and for a number
// common to all real tokens), so that greedy text is the same unless two tokens are as good as equal. Dense shapes are Llama or Qwen3 as
// the source is, and the output matrix is the embedding, as in the source: the pass over an 8B shape costs what the real model's does, while
// its file lacks the separate embedding.
//
// Usage:
//
//	shape, err := inflate.ShapeOf("llama-3.1-8b")
//	…
//	m, err := inflate.New(ctx, store, shape, tensor.Q4_0)
//	…
//	err = m.WriteStore(ctx, "llama-8b.lever", weights.WriteOptions{})
//	err = m.WriteGGUF(ctx, "llama-8b.gguf", nil)
//
// Matrices have any type that conversion offers. Where blocks have 256 columns, those that something is placed in are encoded anew, with zeros beside
// it.
//
// Limits: the draft of a pair must be inflated to the same vocabulary as its target.
package inflate
