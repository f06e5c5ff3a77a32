// Package quality measures what types of weights with few bits cost in quality: a model's mean negative log-likelihood of text, how often its likeliest token
// is that of the model with its own weights, and how far its distributions are from that model's, for each type that stores can be converted to, with
// and without importance of the columns.
//
// Half of the prompts are text to measure importance with, the other half is judged. The embedding and the head, which suffer most, are Q8_0 beside all types
// but F16, as in stores, and what a mix says beside mixes. Rows that do not fill blocks of a type are filled up with zeros, so that a small model shows what a type does to all of its matrices;
// in a store they would have another type.
//
// Usage:
//
//	r, err := quality.Run(ctx, quality.Options{Model: "lever-tiny-llama/target", Sets: sets})
//
// Limits: products are computed with decoded weights in F16 and unrounded activations, so that types alone differ.
package quality
