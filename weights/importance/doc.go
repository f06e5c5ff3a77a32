// Package importance measures how much each column of a model's matrices matters, by running the model over text: the mean square of the
// activations that a column is multiplied with. Encoders to few bits keep the errors of the columns that matter small; see
// [tensor.EncodeWeighted].
//
//	of, err := importance.Measure(ctx, store, sequences, importance.Options{Pool: pool})
//	…
//	err = convert.Convert(ctx, "Llama-3.2-1B", "llama.lever", weights.WriteOptions{Type: tensor.Q3_K, Importance: of})
//
// The store that is measured is of the same model in another type, such as Q8_0. The text should be like what the model will read and write; a
// few ten thousand tokens do.
//
// # File
//
// [Save] writes a safetensors file: an F32 vector [columns] for each matrix, called like it, and the metadata format = lever-importance and
// version = 1. [Load] reads it.
//
// # Errors
//
//   - [ErrInvalid]: a file is none that Save wrote, or holds numbers that no mean square is.
//
// Others are those of the store, of the model, and of the operating system, wrapped.
package importance
