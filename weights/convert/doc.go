// Package convert makes stores of models in other formats: folders as Hugging Face keeps them, with safetensors, and GGUF files.
//
//	err := convert.Convert(ctx, "Llama-3.2-1B", "llama.lever", weights.WriteOptions{Type: tensor.Q8_0})
//
// Which models it takes is up to package arch, and to the architectures of the caller's own, which come last in a call. Of a model that is
// refused nothing was read but its configuration and the names and shapes of its tensors.
//
// Sources are safetensors of F32, F16 and BF16, in one file or several, as they are or quantised by the methods fp8, gptq, awq, mlx, mxfp4 and
// compressed-tensors as far as config.json describes them in ways that are understood here, and GGUF versions 2 and 3, in one file or several, of F32, F16, BF16
// and the block formats of package tensor.
//
// # Errors
//
// Errors about a source wrap [weights.ErrCorrupt], [weights.ErrTruncated] or [weights.ErrUnsupported], or an error of the operating system such
// as [io/fs.ErrNotExist], and name file and tensor.
package convert
