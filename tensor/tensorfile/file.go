package tensorfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/internal/safetensors"
	"github.com/lever-go/lever/tensor"
)

// What can be wrong with a file.
var (
	ErrTruncated   = fileerr.ErrTruncated
	ErrCorrupt     = fileerr.ErrCorrupt
	ErrUnsupported = fileerr.ErrUnsupported
	ErrNoTensor    = errors.New("no tensor of that name")
)

// Info describes a tensor of a file.
type Info struct {
	Name    string
	Type    tensor.DType
	Shape   []int             // slowest first: a matrix is [rows][columns]
	Path    string            // of the file that holds it
	Section *io.SectionReader // its elements or blocks, little-endian, in row-major order
}

// File is an open file of tensors, or several that belong together. It is safe for concurrent use, but for Close.
type File struct {
	tensors  map[string]Info
	metadata map[string]any
	close    func() error
}

// Open opens a safetensors or GGUF file, which is told by its content, or the safetensors files of a folder. Of a GGUF model that was split into
// several files, named NAME-00001-of-00003.gguf and so on, any of them opens all. The caller closes the File.
func Open(path string) (*File, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tensorfile: open: %w", err)
	}
	if stat.IsDir() {
		return fromSafetensors(safetensors.OpenModel(path))
	}
	first, err := gguf.Open(path)
	if errors.Is(err, gguf.ErrMagic) {
		return fromSafetensors(safetensors.Open(path))
	}
	if err != nil {
		return nil, fmt.Errorf("tensorfile: open: %w", err)
	}
	return fromGGUF(path, first)
}

func fromSafetensors(m *safetensors.Folder, err error) (*File, error) {
	if err != nil {
		return nil, fmt.Errorf("tensorfile: open: %w", err)
	}
	f := &File{tensors: map[string]Info{}, metadata: map[string]any{}, close: m.Close}
	for key, value := range m.Metadata {
		f.metadata[key] = value
	}
	for name, t := range m.Tensors {
		f.tensors[name] = Info{name, t.Type, t.Shape, t.File, io.NewSectionReader(t.Data, t.Offset, t.Size)}
	}
	return f, nil
}

// fromGGUF opens the other files of a model that was split, too.
func fromGGUF(path string, first *gguf.File) (*File, error) {
	f := &File{tensors: map[string]Info{}, metadata: first.Metadata}
	var files []*gguf.File
	f.close = func() error { return gguf.CloseAll(files) }
	for _, name := range gguf.Parts(path) {
		part, err := first, error(nil)
		if name != path {
			part, err = gguf.Open(name)
		}
		if err == nil {
			files = append(files, part)
			err = f.add(name, part)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tensorfile: open: %w", err), f.close())
		}
	}
	if n, split := first.Metadata["split.tensors.count"].(int32); split && int(n) != len(f.tensors) {
		err := &fileerr.Error{Format: "gguf", File: path, Reason: fmt.Sprintf("%d of %s are in the files of that name", len(f.tensors), plural.Of(n, "tensor")), Err: ErrCorrupt}
		return nil, errors.Join(fmt.Errorf("tensorfile: open: %w", err), f.close())
	}
	return f, nil
}

// add adds the tensors of one file.
func (f *File) add(path string, part *gguf.File) error {
	for _, t := range part.Tensors {
		if _, twice := f.tensors[t.Name]; twice {
			return &fileerr.Error{Format: "gguf", File: path, Tensor: t.Name, Reason: "is in another part too", Err: ErrCorrupt}
		}
		shape := slices.Clone(t.Shape)
		slices.Reverse(shape)
		f.tensors[t.Name] = Info{t.Name, t.Type, shape, path, part.Section(t)}
	}
	return nil
}

// Close closes the files. Tensors that were read stay.
func (f *File) Close() error { return f.close() }

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Info returns what the file says of a tensor; ok is false if there is none of that name.
func (f *File) Info(name string) (info Info, ok bool) {
	info, ok = f.tensors[name]
	info.Shape = slices.Clone(info.Shape)
	return info, ok
}

// Metadata returns what the file says of the whole: of safetensors, strings; of GGUF, numbers, bool, string, and slices of these; of several files,
// what the first, or all of safetensors, say. It is not to be changed.
func (f *File) Metadata() map[string]any { return f.metadata }

// Read reads a whole tensor.
func (f *File) Read(ctx context.Context, name string) (*tensor.Tensor, error) {
	info, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("tensorfile: read %s: %w", fileerr.Name(name), ErrNoTensor)
	}
	return read(ctx, info, info.Shape, 0)
}

// ReadRows reads the part of a tensor whose index along the first dimension is at least from and below to.
func (f *File) ReadRows(ctx context.Context, name string, from, to int) (*tensor.Tensor, error) {
	info, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("tensorfile: read %s: %w", fileerr.Name(name), ErrNoTensor)
	}
	if len(info.Shape) == 0 || from < 0 || from > to || to > info.Shape[0] {
		return nil, fmt.Errorf("tensorfile: read %s: %w: rows %d..%d of %v%v", fileerr.Name(name), tensor.ErrShape, from, to, info.Type, info.Shape)
	}
	if len(info.Shape) == 1 && info.Type.Quantized() && (from%info.Type.BlockElems() != 0 || to%info.Type.BlockElems() != 0) {
		return nil, fmt.Errorf("tensorfile: read %s: %w: %d..%d of %v%v takes blocks apart", fileerr.Name(name), tensor.ErrShape, from, to, info.Type, info.Shape)
	}
	shape := slices.Clone(info.Shape)
	shape[0] = to - from
	before := from
	for _, dim := range shape[1:] {
		before *= dim
	}
	return read(ctx, info, shape, int64(info.Type.RowBytes(before)))
}

// piece is how much is read between two looks at the context.
const piece = 8 << 20

// read reads a tensor of the given shape whose data begin at offset of the section.
func read(ctx context.Context, info Info, shape []int, offset int64) (*tensor.Tensor, error) {
	t, err := tensor.New(info.Type, shape...)
	if err != nil {
		return nil, fmt.Errorf("tensorfile: read %s: %w", fileerr.Name(info.Name), err)
	}
	data, err := t.Bytes()
	for err == nil && len(data) > 0 {
		n := min(len(data), piece)
		if err = ctx.Err(); err == nil {
			var got int
			if got, err = info.Section.ReadAt(data[:n], offset); got == n {
				err = nil
			}
		}
		data, offset = data[n:], offset+int64(n)
	}
	if errors.Is(err, io.EOF) {
		err = ErrTruncated
	}
	if err != nil {
		return nil, fmt.Errorf("tensorfile: read %s of %s: %w", fileerr.Name(info.Name), info.Path, err)
	}
	return t, nil
}

// byAlignment sorts names of tensors as safetensors wants them: those with the largest elements first, so that all are aligned.
func byAlignment(tensors map[string]*tensor.Tensor) []string {
	return slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		return cmp.Or(cmp.Compare(tensors[b].DType().BlockBytes(), tensors[a].DType().BlockBytes()), cmp.Compare(a, b))
	})
}
