// Package gguf reads and writes GGUF files, versions 2 and 3, little-endian.
//
// Layout of a file:
//
//  1. magic "GGUF", u32 version, u64 number of tensors, u64 number of metadata entries;
//  2. the metadata entries: string key, u32 value type, value; a string is a u64 length and that many bytes, an array is
//     a u32 element type, a u64 count and the elements;
//  3. one description per tensor: string name, u32 number of dimensions, a u64 per dimension (fastest first), u32 type,
//     u64 offset relative to the start of the data;
//  4. padding to general.alignment (32 when absent), and then the data of the tensors, each at a multiple of the alignment.
//
// Usage:
//
//	f, err := gguf.Open("model.gguf")
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	arch, _ := f.Metadata["general.architecture"].(string)
//	for _, t := range f.Tensors {
//		data := make([]byte, t.Size)
//		_, err := f.Section(t).ReadAt(data, 0)
//		…
//	}
//
// Limits: version 1, big-endian files and tensor types without a [tensor.DType] are refused with [ErrUnsupported]. Tensor
// data is never read here; a reader allocates no more than a small multiple of the header bytes it has really seen.
package gguf
