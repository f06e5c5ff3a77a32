package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// Content is what [Write] puts into a file.
type Content struct {
	Version  uint32         // 2 or 3; 0 means 3
	Metadata map[string]any // values of the types that [File.Metadata] holds, but no arrays of arrays
	Tensors  []Tensor
}

// Tensor is a tensor with its data.
type Tensor struct {
	Name  string
	Shape []int // fastest first
	Type  tensor.DType
	Data  []byte // as long as Shape and Type say
	// Source gives the data while the file is written, where Data is nil: of tensors too large to hold.
	Source io.Reader
}

// size returns the length of the data in bytes.
func (t *Tensor) size() int64 {
	elems := 1
	for _, d := range t.Shape {
		elems *= d
	}
	return int64(t.Type.RowBytes(elems))
}

// Write writes c to w. Metadata keys are sorted, so that equal content gives equal files.
func Write(w io.Writer, c Content) error {
	version := c.Version
	if version == 0 {
		version = 3
	}
	alignment, err := (&File{Metadata: c.Metadata}).alignment()
	if err != nil {
		return err
	}
	header := []byte(magic)
	header = le.AppendUint32(header, version)
	header = le.AppendUint64(header, uint64(len(c.Tensors)))
	header = le.AppendUint64(header, uint64(len(c.Metadata)))
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		header = appendString(header, key)
		if header, err = appendValue(header, c.Metadata[key]); err != nil {
			return fmt.Errorf("gguf: write metadata key %q: %w", key, err)
		}
	}
	offset := int64(0)
	for _, t := range c.Tensors {
		if header, err = appendInfo(header, t, offset); err != nil {
			return fmt.Errorf("gguf: write tensor %q: %w", t.Name, err)
		}
		offset = alignUp(offset+t.size(), alignment)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	writePadded(out, header, alignment)
	for _, t := range c.Tensors {
		if t.Data != nil || t.Source == nil {
			writePadded(out, t.Data, alignment)
			continue
		}
		if _, err := io.CopyN(out, t.Source, t.size()); err != nil {
			return fmt.Errorf("gguf: write tensor %q: %w", t.Name, err)
		}
		pad(out, t.size(), alignment)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("gguf: write: %w", err)
	}
	return nil
}

var le = binary.LittleEndian

// writePadded writes p and zeros up to the next multiple of alignment; out keeps the first error for Flush.
func writePadded(out *bufio.Writer, p []byte, alignment int64) {
	out.Write(p)
	pad(out, int64(len(p)), alignment)
}

// pad writes the zeros that follow n bytes.
func pad(out *bufio.Writer, n, alignment int64) {
	for ; n%alignment != 0; n++ {
		out.WriteByte(0)
	}
}

func appendInfo(b []byte, t Tensor, offset int64) ([]byte, error) {
	number, ok := tensorTypeNumber(t.Type)
	if !ok {
		return nil, fmt.Errorf("type %v: %w", t.Type, ErrUnsupported)
	}
	b = appendString(b, t.Name)
	b = le.AppendUint32(b, uint32(len(t.Shape)))
	for _, d := range t.Shape {
		b = le.AppendUint64(b, uint64(d))
	}
	if size := t.size(); t.Source == nil && size != int64(len(t.Data)) {
		return nil, fmt.Errorf("%v %v takes %d bytes, not %d", t.Type, t.Shape, size, len(t.Data))
	}
	b = le.AppendUint32(b, number)
	return le.AppendUint64(b, uint64(offset)), nil
}

func appendString(b []byte, s string) []byte {
	b = le.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case uint8:
		return appendFixed(b, typeUint8, v)
	case int8:
		return appendFixed(b, typeInt8, v)
	case uint16:
		return appendFixed(b, typeUint16, v)
	case int16:
		return appendFixed(b, typeInt16, v)
	case uint32:
		return appendFixed(b, typeUint32, v)
	case int32:
		return appendFixed(b, typeInt32, v)
	case float32:
		return appendFixed(b, typeFloat32, v)
	case bool:
		return appendFixed(b, typeBool, v)
	case uint64:
		return appendFixed(b, typeUint64, v)
	case int64:
		return appendFixed(b, typeInt64, v)
	case float64:
		return appendFixed(b, typeFloat64, v)
	case string:
		return appendString(le.AppendUint32(b, uint32(typeString)), v), nil
	case []string:
		b = appendArrayHead(b, typeString, len(v))
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	case []uint8:
		return appendSlice(b, typeUint8, v)
	case []int8:
		return appendSlice(b, typeInt8, v)
	case []uint16:
		return appendSlice(b, typeUint16, v)
	case []int16:
		return appendSlice(b, typeInt16, v)
	case []uint32:
		return appendSlice(b, typeUint32, v)
	case []int32:
		return appendSlice(b, typeInt32, v)
	case []float32:
		return appendSlice(b, typeFloat32, v)
	case []bool:
		return appendSlice(b, typeBool, v)
	case []uint64:
		return appendSlice(b, typeUint64, v)
	case []int64:
		return appendSlice(b, typeInt64, v)
	case []float64:
		return appendSlice(b, typeFloat64, v)
	}
	return nil, fmt.Errorf("value of type %T: %w", value, ErrUnsupported)
}

func appendArrayHead(b []byte, element valueType, n int) []byte {
	b = le.AppendUint32(b, uint32(typeArray))
	b = le.AppendUint32(b, uint32(element))
	return le.AppendUint64(b, uint64(n))
}

func appendFixed[T number](b []byte, t valueType, v T) ([]byte, error) {
	return binary.Append(le.AppendUint32(b, uint32(t)), le, v)
}

func appendSlice[T number](b []byte, element valueType, v []T) ([]byte, error) {
	return binary.Append(appendArrayHead(b, element, len(v)), le, v)
}
