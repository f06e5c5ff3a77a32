// Package safetensors reads the headers of safetensors files, single or sharded.
//
// Layout of a file:
//
//  1. u64 little-endian length n of the header;
//  2. n bytes of JSON: an object from tensor name to {"dtype", "shape", "data_offsets": [begin, end]}, and optionally
//     "__metadata__", an object of strings; offsets count from the end of the header;
//  3. the data, row-major, little-endian.
//
// A sharded model has an index, model.safetensors.index.json, whose "weight_map" names the file of every tensor.
//
// Usage:
//
//	m, err := safetensors.OpenModel("Llama-3.2-1B")
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	t := m.Tensors["model.norm.weight"]
//	data := make([]byte, t.Size)
//	_, err = t.Data.ReadAt(data, t.Offset)
//
// Limits: types F32, F16, BF16, F64, F8_E4M3, F8_E5M2, I8, I32, I64, U8, U32 and BOOL; other types are refused with [ErrUnsupported]. Headers are at most 100 MB.
// Tensor data is never read here.
package safetensors
