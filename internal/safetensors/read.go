package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/tensor"
)

// maxHeader is the header size that other readers of the format accept too.
const maxHeader = 100_000_000

const metadataKey = "__metadata__"

// Tensor describes one tensor and where its data is.
type Tensor struct {
	Name   string
	Type   tensor.DType
	Shape  []int       // slowest first: a matrix is [rows, columns]; empty for a scalar
	File   string      // path of its file
	Data   io.ReaderAt // the whole file
	Offset int64       // of the data, from the start of the file
	Size   int64       // in bytes
}

var dtypes = map[string]tensor.DType{
	"F32": tensor.F32, "F16": tensor.F16, "BF16": tensor.BF16, "F64": tensor.F64, "I8": tensor.I8, "I32": tensor.I32, "I64": tensor.I64, "U8": tensor.U8,
	"U32": tensor.U32, "BOOL": tensor.Bool, "F8_E4M3": tensor.F8_E4M3, "F8_E5M2": tensor.F8_E5M2,
}

// TypeName returns how the format spells a type; ok is false if it has no such type.
func TypeName(d tensor.DType) (name string, ok bool) {
	for name, t := range dtypes {
		if t == d {
			return name, true
		}
	}
	return "", false
}

// Read reads the header of the safetensors file of size bytes that data holds; path is its name in errors. The tensors
// come in the order of their data, metadata is what __metadata__ says. Errors are of type [*Error].
func Read(data io.ReaderAt, size int64, path string) (_ []Tensor, metadata map[string]string, err error) {
	bad := func(name string, cause error, format string, args ...any) error {
		return &Error{Format: "safetensors", File: path, Tensor: name, Reason: fmt.Sprintf(format, args...), Err: cause}
	}
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return nil, nil, bad("", ErrTruncated, "%d bytes cannot hold a header", size)
	}
	if err := readFull(data, prefix[:], 0); err != nil {
		return nil, nil, bad("", err, "read header length")
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader {
		start := make([]byte, min(size, fileerr.ForeignBytes))
		if err := readFull(data, start, 0); err != nil {
			return nil, nil, bad("", err, "read header")
		}
		if what := fileerr.Foreign(start); what != "" {
			return nil, nil, bad("", ErrCorrupt, "%s", what)
		}
		return nil, nil, bad("", ErrCorrupt, "header of %d bytes is longer than %d", n, maxHeader)
	}
	base := int64(len(prefix)) + int64(n)
	if base > size {
		return nil, nil, bad("", ErrTruncated, "header of %d bytes does not fit into %d bytes", n, size)
	}
	header := make([]byte, n)
	if err := readFull(data, header, int64(len(prefix))); err != nil {
		return nil, nil, bad("", err, "read header")
	}
	entries, metadata, err := parseHeader(header)
	if err != nil {
		return nil, nil, bad("", ErrCorrupt, "header: %v", err)
	}
	tensors := make([]Tensor, 0, len(entries))
	for _, e := range entries {
		d, ok := dtypes[e.DType]
		if !ok {
			return nil, nil, bad(e.name, ErrUnsupported, "type %q", e.DType)
		}
		want, ok := byteSize(e.Shape, d)
		begin, end := e.Offsets[0], e.Offsets[1]
		switch {
		case !ok:
			return nil, nil, bad(e.name, ErrCorrupt, "shape %v", e.Shape)
		case begin < 0 || end < begin:
			return nil, nil, bad(e.name, ErrCorrupt, "data from %d to %d", begin, end)
		case end-begin != want:
			return nil, nil, bad(e.name, ErrCorrupt, "%s %v takes %d bytes, its data have %d", e.DType, e.Shape, want, end-begin)
		case end > size-base:
			return nil, nil, bad(e.name, ErrTruncated, "data from %d to %d end past the file's %d bytes of data", begin, end, size-base)
		}
		tensors = append(tensors, Tensor{Name: e.name, Type: d, Shape: e.Shape, File: path, Data: data, Offset: base + begin, Size: want})
	}
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
	})
	for i := 1; i < len(tensors); i++ {
		if prev := tensors[i-1]; prev.Offset+prev.Size > tensors[i].Offset {
			return nil, nil, bad(tensors[i].Name, ErrCorrupt, "data overlap those of %s", prev.Name)
		}
	}
	return tensors, metadata, nil
}

type entry struct {
	name    string
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// parseHeader walks the object by hand because a decoder into a map would hide names that appear twice. It returns what __metadata__ says, too.
func parseHeader(header []byte) (entries []entry, metadata map[string]string, err error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("is not a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := t.(string) // a key of an object is always a string
		if seen[name] {
			return nil, nil, fmt.Errorf("%q is described twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		e := entry{name: name, Offsets: [2]int64{-1, -1}}
		if err := dec.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("%q: %w", name, err)
		}
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimRight(header[dec.InputOffset():], " "); len(rest) > 0 {
		return nil, nil, errors.New("text after the JSON object")
	}
	return entries, metadata, nil
}

// byteSize returns the bytes of a tensor, and false when a dimension is not positive or the product overflows.
func byteSize(shape []int, d tensor.DType) (int64, bool) {
	n := int64(d.BlockBytes())
	for _, dim := range shape {
		if dim <= 0 || int64(dim) > math.MaxInt64/n {
			return 0, false
		}
		n *= int64(dim)
	}
	return n, true
}

// readFull fills p; a file that became shorter than it was said to be is truncated.
func readFull(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return ErrTruncated
	}
	return err
}
