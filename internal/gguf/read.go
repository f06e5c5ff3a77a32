package gguf

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/tensor"
)

// File is a GGUF file whose header has been read and checked.
type File struct {
	Version uint32
	// Metadata holds the values as uint8 … int64, float32, float64, bool, string; arrays as slices of these ([]string,
	// []int32, []float32 …), an array of arrays as []any.
	Metadata map[string]any
	Tensors  []TensorInfo // in file order
	Data     io.ReaderAt  // the whole file; TensorInfo.Offset counts from its start

	closer io.Closer
}

// TensorInfo describes one tensor.
type TensorInfo struct {
	Name   string
	Shape  []int // fastest first: a matrix is [columns, rows]
	Type   tensor.DType
	Offset int64 // from the start of the file; File.Section reads from there
	Size   int64 // in bytes

	interleaving interleaving // of rows; [File.Section] undoes it
}

// Open opens the file at path and reads its header. The caller closes the File. Errors are [*Error] or come from the
// operating system.
func Open(path string) (*File, error) {
	osFile, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	info, err := osFile.Stat()
	if err != nil {
		osFile.Close()
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := Read(osFile, info.Size())
	if err != nil {
		osFile.Close()
		if e := (*Error)(nil); errors.As(err, &e) {
			e.File = path
		}
		return nil, err
	}
	f.closer = osFile
	return f, nil
}

// Read reads the header of the GGUF file of size bytes that data holds. Errors are of type [*Error].
func Read(data io.ReaderAt, size int64) (*File, error) {
	r := &reader{buf: bufio.NewReaderSize(io.NewSectionReader(data, 0, size), 1<<16), left: size}
	f := &File{Data: data, Metadata: map[string]any{}}
	r.header(f)
	if r.err != nil {
		return nil, r.err
	}
	alignment, err := f.alignment()
	if err != nil {
		return nil, err
	}
	if err := f.locate(alignUp(size-r.left, alignment), size, alignment); err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file if [Open] opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

func (f *File) alignment() (int64, error) {
	value, ok := f.Metadata[alignmentKey]
	if !ok {
		return defaultAlignment, nil
	}
	n, ok := value.(uint32)
	if !ok || n == 0 || n%8 != 0 || n > maxAlignment {
		return 0, &Error{Format: "gguf", Reason: fmt.Sprintf("%s is %v, not a multiple of 8 up to %d", alignmentKey, value, maxAlignment), Err: ErrCorrupt}
	}
	return int64(n), nil
}

// locate makes the offsets absolute and checks that the data lies inside the file, aligned, without overlap.
func (f *File) locate(base, size, alignment int64) error {
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.Offset%alignment != 0 {
			return &Error{Format: "gguf", Tensor: t.Name, Reason: fmt.Sprintf("offset %d is not a multiple of %d", t.Offset, alignment), Err: ErrCorrupt}
		}
		if base > size || t.Offset > size-base || t.Size > size-base-t.Offset {
			return &Error{Format: "gguf", Tensor: t.Name, Reason: fmt.Sprintf("data at %d+%d, %d bytes long, ends past the file's %d bytes", base, t.Offset, t.Size, size), Err: ErrTruncated}
		}
		t.Offset += base
	}
	order := slices.Clone(f.Tensors)
	slices.SortFunc(order, func(a, b TensorInfo) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := 1; i < len(order); i++ {
		if prev := order[i-1]; prev.Offset+prev.Size > order[i].Offset {
			return &Error{Format: "gguf", Tensor: order[i].Name, Reason: "data overlaps that of " + prev.Name, Err: ErrCorrupt}
		}
	}
	return nil
}

// reader reads the header in sequence. The first error sticks; afterwards every method returns zero values.
type reader struct {
	buf  *bufio.Reader
	left int64 // bytes between the position and the end of the file
	err  error
}

func (r *reader) fail(tensorName string, cause error, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Format: "gguf", Tensor: tensorName, Reason: fmt.Sprintf(format, args...), Err: cause}
	}
}

func (r *reader) header(f *File) {
	var mark [4]byte
	r.bytes(mark[:])
	if r.err == nil && string(mark[:]) != magic {
		rest, _ := r.buf.Peek(fileerr.ForeignBytes) // a short file has less
		what := fileerr.Foreign(append(mark[:], rest...))
		if what == "" {
			r.fail("", ErrMagic, "does not start with %q", magic)
		}
		r.fail("", ErrCorrupt, "%s", what)
	}
	f.Version = fixed[uint32](r)
	if r.err == nil && f.Version != 2 && f.Version != 3 {
		reason := fmt.Sprintf("version %d", f.Version)
		if v := f.Version >> 24; f.Version&0xFFFFFF == 0 && v != 0 {
			reason = fmt.Sprintf("version %d in big-endian order", v)
		}
		r.fail("", ErrUnsupported, "%s", reason)
	}
	nTensors := r.count("tensors", 8+4+8+4+8)
	nMeta := r.count("metadata entries", 8+4+1)
	for i := uint64(0); i < nMeta && r.err == nil; i++ {
		key := r.string()
		value := r.value(valueType(fixed[uint32](r)), key, 0)
		if _, twice := f.Metadata[key]; twice {
			r.fail("", ErrCorrupt, "metadata key %q appears twice", key)
		}
		f.Metadata[key] = value
	}
	seen := map[string]bool{}
	for i := uint64(0); i < nTensors && r.err == nil; i++ {
		t := r.tensorInfo()
		if seen[t.Name] {
			r.fail(t.Name, ErrCorrupt, "described twice")
		}
		seen[t.Name] = true
		f.Tensors = append(f.Tensors, t)
	}
}

func (r *reader) tensorInfo() TensorInfo {
	t := TensorInfo{Name: r.string()}
	dims := fixed[uint32](r)
	if r.err == nil && (dims == 0 || dims > maxDims) {
		r.fail(t.Name, ErrCorrupt, "has %d dimensions, not 1 to %d", dims, maxDims)
	}
	elems := uint64(1)
	for i := uint32(0); i < dims && r.err == nil; i++ {
		d := fixed[uint64](r)
		if r.err == nil && (d == 0 || d > math.MaxInt64/8/elems) {
			r.fail(t.Name, ErrCorrupt, "dimension %d of %d elements", i, d)
			return t
		}
		elems *= max(d, 1)
		t.Shape = append(t.Shape, int(d))
	}
	number, offset := fixed[uint32](r), fixed[uint64](r)
	if r.err != nil {
		return t
	}
	d, err := tensorType(number)
	if err != nil {
		r.fail(t.Name, ErrUnsupported, "%v", err)
		return t
	}
	if t.Shape[0]%d.BlockElems() != 0 {
		r.fail(t.Name, ErrCorrupt, "rows of %d elements are not whole %v blocks", t.Shape[0], d)
		return t
	}
	t.interleaving = interleavings[number]
	if n := t.interleaving.rows; n > 0 && elems/uint64(t.Shape[0])%uint64(n) != 0 {
		r.fail(t.Name, ErrCorrupt, "%d rows are not whole groups of %d, which %s interleaves", elems/uint64(t.Shape[0]), n, typeNames[number])
		return t
	}
	if offset > math.MaxInt64 {
		r.fail(t.Name, ErrCorrupt, "offset %d", offset)
		return t
	}
	t.Type, t.Offset, t.Size = d, int64(offset), int64(elems)/int64(d.BlockElems())*int64(d.BlockBytes())
	return t
}

// value reads a metadata value; key is its name for errors, depth the number of arrays around it.
func (r *reader) value(t valueType, key string, depth int) any {
	switch t {
	case typeUint8:
		return fixed[uint8](r)
	case typeInt8:
		return fixed[int8](r)
	case typeUint16:
		return fixed[uint16](r)
	case typeInt16:
		return fixed[int16](r)
	case typeUint32:
		return fixed[uint32](r)
	case typeInt32:
		return fixed[int32](r)
	case typeFloat32:
		return fixed[float32](r)
	case typeBool:
		return fixed[bool](r)
	case typeString:
		return r.string()
	case typeArray:
		return r.array(key, depth)
	case typeUint64:
		return fixed[uint64](r)
	case typeInt64:
		return fixed[int64](r)
	case typeFloat64:
		return fixed[float64](r)
	}
	r.fail("", ErrCorrupt, "metadata key %q has unknown type %d", key, t)
	return nil
}

func (r *reader) array(key string, depth int) any {
	if depth == maxArrayDepth {
		r.fail("", ErrUnsupported, "metadata key %q: arrays nested more than %d deep", key, maxArrayDepth)
		return nil
	}
	t := valueType(fixed[uint32](r))
	switch t {
	case typeUint8:
		return slice[uint8](r)
	case typeInt8:
		return slice[int8](r)
	case typeUint16:
		return slice[uint16](r)
	case typeInt16:
		return slice[int16](r)
	case typeUint32:
		return slice[uint32](r)
	case typeInt32:
		return slice[int32](r)
	case typeFloat32:
		return slice[float32](r)
	case typeBool:
		return slice[bool](r)
	case typeUint64:
		return slice[uint64](r)
	case typeInt64:
		return slice[int64](r)
	case typeFloat64:
		return slice[float64](r)
	case typeString:
		n := r.count("array elements", 8)
		list := []string{}
		for i := uint64(0); i < n && r.err == nil; i++ {
			list = append(list, r.string())
		}
		return list
	case typeArray:
		n := r.count("array elements", 4+8)
		list := []any{}
		for i := uint64(0); i < n && r.err == nil; i++ {
			list = append(list, r.array(key, depth+1))
		}
		return list
	}
	r.fail("", ErrCorrupt, "metadata key %q is an array of unknown type %d", key, t)
	return nil
}

// count reads a number of things that take at least least bytes each, and checks that the file can hold them.
func (r *reader) count(what string, least int64) uint64 {
	n := fixed[uint64](r)
	if r.err == nil && n > uint64(r.left/least) {
		r.fail("", ErrTruncated, "%d %s do not fit into the remaining %d bytes", n, what, r.left)
		return 0
	}
	return n
}

// batch bounds how far an allocation runs ahead of the bytes that have really been read.
const batch = 1 << 16

func (r *reader) string() string {
	n := r.count("string bytes", 1)
	var text []byte
	for n > 0 && r.err == nil {
		step := min(n, batch)
		text = slices.Grow(text, int(step))[:len(text)+int(step)]
		r.bytes(text[len(text)-int(step):])
		n -= step
	}
	return string(text)
}

type number interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64 | bool
}

func fixed[T number](r *reader) (v T) {
	var raw [8]byte
	field := raw[:binary.Size(v)]
	r.bytes(field)
	if r.err == nil {
		r.decode(field, &v)
	}
	return v
}

func slice[T number](r *reader) []T {
	var zero T
	n := r.count("array elements", int64(binary.Size(zero)))
	raw := make([]byte, min(n, batch)*uint64(binary.Size(zero)))
	list := []T{}
	for n > 0 && r.err == nil {
		step := int(min(n, batch))
		field := raw[:step*binary.Size(zero)]
		r.bytes(field)
		list = slices.Grow(list, step)[:len(list)+step]
		if r.err == nil {
			r.decode(field, list[len(list)-step:])
		}
		n -= uint64(step)
	}
	return list
}

// decode decodes raw, which has exactly the size of v.
func (r *reader) decode(raw []byte, v any) {
	if _, err := binary.Decode(raw, binary.LittleEndian, v); err != nil {
		r.fail("", err, "decode")
	}
}

func (r *reader) bytes(p []byte) {
	if r.err != nil {
		return
	}
	if int64(len(p)) > r.left {
		r.fail("", ErrTruncated, "the header ends after the file's last byte")
		return
	}
	n, err := io.ReadFull(r.buf, p)
	r.left -= int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated // the file became shorter than it was said to be
	}
	if err != nil {
		r.fail("", err, "read header")
	}
}
