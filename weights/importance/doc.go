// Package importance measures what a model's matrices are multiplied with, by running the model over text: the second moments of activations. They say how
// much each column of a matrix matters, and which columns can make up for the errors of others. Encoders to few bits keep the errors of products small by
// them; see [tensor.EncodeWeighted].
//
//	of, err := importance.Measure(ctx, store, sequences, importance.Options{Pool: pool})
//	…
//	err = convert.Convert(ctx, "Llama-3.2-1B", "llama.lever", weights.WriteOptions{Type: tensor.Q3_K, Importance: of})
//
// The store that is measured is of the same model in another type, such as Q8_0. The text should be like what the model will read and write; a
// few ten thousand tokens do.
//
// # Memory
//
// Moments of c columns in pieces of w take c·(w+1)/2 numbers of 4 bytes for each input that matrices share. Pieces are as wide as lets all of a model's
// fit into [Options].Moments, 2 GiB by default: 512 columns for a model of 8 billion weights. Usual models, whose matrices share inputs, take about half of that. Besides, the model's weights are streamed
// through [Options].DRAM. An encoder holds the factors of one matrix.
//
// # File
//
// [Save] writes a safetensors file: an F32 vector for each input, called like the first matrix that is multiplied with it, which holds the values
// of [tensor.Moments]. Its metadata are format = lever-importance, version = 2, width = the columns of a piece, and same.NAME = OTHER for a matrix that shares the
// moments of another. [Load] reads it.
//
// # Errors
//
//   - [ErrInvalid]: a file is none that Save wrote, or holds numbers that no moments are.
//
// Others are those of the store, of the model, and of the operating system, wrapped.
package importance
