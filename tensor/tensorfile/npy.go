package tensorfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/tensor"
)

// npyTypes are the types of elements as NumPy writes them.
var npyTypes = map[string]tensor.DType{
	"<f4": tensor.F32, "<f2": tensor.F16, "<f8": tensor.F64, "|i1": tensor.I8, "|u1": tensor.U8, "<i4": tensor.I32, "<i8": tensor.I64, "|b1": tensor.Bool,
}

const (
	npyMagic     = "\x93NUMPY"
	npyAlignment = 64
	maxNPYHeader = 1 << 16
)

// The entries of a header, a dictionary in Python's notation.
var (
	npyDescr   = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// ReadNPY reads an array in NumPy's format, versions 1 to 3 (numpy.lib.format), little-endian, and no further. One in Fortran's order, columns first,
// becomes a view with such strides.
func ReadNPY(r io.Reader) (*tensor.Tensor, error) {
	header, err := readNPYHeader(r)
	if err != nil {
		return nil, fmt.Errorf("tensorfile: read npy: %w", err)
	}
	descr, fortran, dims := npyDescr.FindStringSubmatch(header), npyFortran.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if descr == nil || fortran == nil || dims == nil {
		if strings.Contains(header, "'descr': [") {
			return nil, fmt.Errorf("tensorfile: read npy: an array of records: %w", ErrUnsupported)
		}
		return nil, fmt.Errorf("tensorfile: read npy: header %s: %w", fileerr.Quote(header), ErrCorrupt)
	}
	d, ok := npyTypes[descr[1]]
	if !ok {
		return nil, fmt.Errorf("tensorfile: read npy: type %s; convert it with astype: %w", fileerr.Quote(descr[1]), ErrUnsupported)
	}
	shape := []int{}
	for _, text := range strings.FieldsFunc(dims[1], func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("tensorfile: read npy: shape %s: %w", fileerr.Quote(dims[1]), ErrCorrupt)
		}
		shape = append(shape, n)
	}
	columnsFirst := fortran[1] == "True"
	if columnsFirst {
		slices.Reverse(shape)
	}
	t, err := readElements(r, d, shape)
	if err != nil {
		return nil, fmt.Errorf("tensorfile: read npy: %w", err)
	}
	if columnsFirst {
		order := make([]int, len(shape))
		for i := range order {
			order[i] = -1 - i
		}
		return t.Permute(order...)
	}
	return t, nil
}

// readNPYHeader reads what stands before the elements.
func readNPYHeader(r io.Reader) (string, error) {
	start := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(r, start); err != nil {
		return "", truncated(err)
	}
	if string(start[:len(npyMagic)]) != npyMagic {
		return "", fmt.Errorf("does not begin like an array of NumPy: %w", ErrCorrupt)
	}
	size := make([]byte, 4)
	switch version := start[len(npyMagic)]; version {
	case 1:
		size = size[:2]
	case 2, 3:
	default:
		return "", fmt.Errorf("version %d of the format: %w", version, ErrUnsupported)
	}
	if _, err := io.ReadFull(r, size); err != nil {
		return "", truncated(err)
	}
	n := uint32(size[0]) | uint32(size[1])<<8
	if len(size) == 4 {
		n = binary.LittleEndian.Uint32(size)
	}
	if n > maxNPYHeader {
		return "", fmt.Errorf("a header of %d bytes: %w", n, ErrCorrupt)
	}
	header := make([]byte, n)
	_, err := io.ReadFull(r, header)
	return string(header), truncated(err)
}

// readElements reads a tensor whose size may be a lie: it allocates as bytes come.
func readElements(r io.Reader, d tensor.DType, shape []int) (*tensor.Tensor, error) {
	size := int64(d.BlockBytes())
	for _, n := range shape {
		if n > 0 && size > (1<<62)/int64(n) {
			return nil, fmt.Errorf("%v%v is too large: %w", d, shape, ErrCorrupt)
		}
		size *= int64(n)
	}
	var data bytes.Buffer
	if n, err := io.CopyN(&data, r, size); err != nil {
		return nil, fmt.Errorf("%d of the %d bytes of %v%v: %w", n, size, d, shape, truncated(err))
	}
	t, err := tensor.Wrap(data.Bytes(), d, shape...)
	if err != nil {
		return nil, err
	}
	return t.To(d) // aligned
}

// truncated names the error of a reader that ends too early.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// WriteNPY writes t in NumPy's format, version 1. NumPy has neither BF16 nor block types: convert them.
func WriteNPY(w io.Writer, t *tensor.Tensor) error {
	code := ""
	for name, d := range npyTypes {
		if d == t.DType() {
			code = name
		}
	}
	if code == "" {
		return fmt.Errorf("tensorfile: write npy: %w: NumPy has no %v; convert it to %v", tensor.ErrType, t.DType(), tensor.F32)
	}
	plain, err := t.Contiguous()
	if err != nil {
		return fmt.Errorf("tensorfile: write npy: %w", err)
	}
	data, err := plain.Bytes()
	if err != nil {
		return fmt.Errorf("tensorfile: write npy: %w", err)
	}
	var sizes []string
	for _, n := range t.Shape() {
		sizes = append(sizes, strconv.Itoa(n))
	}
	dims := strings.Join(sizes, ", ")
	if len(sizes) == 1 {
		dims += ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", code, dims)
	before := len(npyMagic) + 4
	header += strings.Repeat(" ", npyAlignment-1-(before+len(header))%npyAlignment) + "\n"
	start := binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(header)))
	if _, err := w.Write(append(start, header...)); err != nil {
		return fmt.Errorf("tensorfile: write npy: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("tensorfile: write npy: %w", err)
	}
	return nil
}
