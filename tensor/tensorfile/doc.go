// Package tensorfile reads and writes tensors in the files of other programs.
//
//	format       reads                            writes               what
//	safetensors  [Open]                           [WriteSafetensors]   a file, or a folder with an index and its files
//	GGUF         [Open]                                                a file, or the files of a model that was split
//	npy          [ReadNPY]                        [WriteNPY]           one array of NumPy; a .npz file is a zip archive of them
//
// [Open] reads names, types and shapes alone. What they stand for is read when it is asked for: a tensor or some of its rows, or any bytes through the
// SectionReader of its [Info].
//
//	f, err := tensorfile.Open("Qwen2.5-0.5B/model.safetensors")
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	for _, name := range f.Names() {
//		info, _ := f.Info(name)
//		fmt.Println(name, info.Type, info.Shape)
//	}
//	gain, err := f.Read(ctx, "model.norm.weight")
//
// # Limits
//
// Types are those of package tensor; a file that holds another one, such as F8_E8M0, is refused with [ErrUnsupported]. No tensor is empty. Headers are
// at most 100 MB. Files of untrusted origin are safe to open: no more is allocated than the file holds.
//
// # Errors
//
//   - [ErrTruncated], [ErrCorrupt], [ErrUnsupported]: what is wrong with a file; the text says where.
//   - [ErrNoTensor]: a file has no tensor of that name.
//   - [tensor.ErrShape], [tensor.ErrType]: what a format cannot hold.
//   - Errors of the operating system, such as [io/fs.ErrNotExist].
package tensorfile
