// Package tensor holds what every other package agrees on about arrays of numbers: their element types, how elements and blocks are laid
// out in memory and on flash, and a strided view of such memory.
//
// # Element types
//
//  1. F32, F16, BF16, F64, F8_E4M3, F8_E5M2, I8, I32, I64, U8, U32, Bool: little-endian, one after the other.
//  2. Block formats, as in GGUF: 32 elements with a scale, or 256 with scales of scales (the "K" formats). See the constants.
//     [Encodable] says which can be written, not only read.
//
// [Decode] and [Encode] convert runs of elements from and to float32. F64, I64, U8, U32 and Bool are for exchange with other libraries and for masks: no
// weight has them, and arithmetic rounds F64 to float32.
//
// # Layouts
//
//  1. Row-major: the last dimension is contiguous, quantised blocks lie along it. Files of others and [Tensor] storage have it.
//  2. Packed tiles of 16 rows, the form in which package kernels multiplies: see [Packed]. [Pack] and [Unpack] convert.
//
// # Tensors
//
// A [Tensor] is a view of storage that it may share: with other views of the same data (Slice, Transpose, Permute, Reshape,
// Broadcast move nothing) or with memory that was wrapped without copying, such as a mapped file.
//
//	x, err := tensor.FromFloat32s([]float32{1, 2, 3, 4, 5, 6}, 2, 3) // shares the slice
//	if err != nil {
//		return err
//	}
//	columns, err := x.Transpose()           // [3 2], the same memory
//	half, err := columns.To(tensor.F16)     // a copy, rounded
//	w, err := tensor.Wrap(data, tensor.Q8_0, 4096, 4096)
//	p, err := w.Packed()                    // for kernels.MatMul
//
// Arithmetic on tensors is in package tensor/ops; conversion from and to the types of gonum and gorgonia is in tensor/gonummat and
// tensor/gorgoniadense, so that only programs that want those libraries link them.
//
// # Limits
//
// Machines are little-endian. Shapes, indices and types that do not fit are errors, not panics; only [Must] and [Packed.Slice] panic,
// and say so. The number of bytes of a tensor must fit in an int.
//
// # Errors
//
//   - [ErrShape]: shapes, indices or lengths that do not fit each other, or their type; the text has both.
//   - [ErrType]: a type that an operation does not take, or no tensor.
//   - [ErrNotFinite]: a NaN or an infinity has no quantised form.
package tensor
