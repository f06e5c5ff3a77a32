package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
)

// source is a model in another format.
type source struct {
	config    []byte                  // canonical config.json
	steps     [][]role                // what the model consists of, in order of use
	tensors   map[string]sourceTensor // by name in the store; rows and columns are as in steps
	tokenizer []tokenizerFile
	close     func() error
}

// sourceTensor is a tensor in its own file.
type sourceTensor struct {
	name       string // in the file
	file       string
	dtype      tensor.DType
	rows, cols int
	data       io.ReaderAt
	offset     int64
	headDim    int // >0: rows of heads of this size are in interleaved rotary order
}

// tokenizerFile is a file that goes into the store as it is.
type tokenizerFile struct {
	name string
	open func() (io.ReadCloser, error)
}

// openSource opens a Hugging Face folder or a GGUF file.
func openSource(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("weights: convert: %w", err)
	}
	isStore, err := IsStore(path)
	switch ext := filepath.Ext(path); {
	case err != nil:
		return nil, fmt.Errorf("weights: convert: %w", err)
	case isStore:
		if err := checkRegular(filepath.Join(path, manifestName)); err != nil {
			return nil, fmt.Errorf("weights: convert: %w", err)
		}
		return nil, badSource(ErrUnsupported, path, "", "it is a store already; convert from the model that it was made from")
	case info.IsDir():
		return openHF(path)
	case ext == ".safetensors" || ext == ".json":
		return nil, badSource(ErrUnsupported, path, "", "it is one file of a model; give the folder that holds it")
	}
	s, err := openGGUF(path)
	if what := otherForm(filepath.Base(path)); errors.Is(err, gguf.ErrMagic) && what != "" {
		return nil, badSource(ErrUnsupported, path, "", "%s", what)
	}
	return s, err
}

// readRows reads n rows from row on into dst, in their own type and in Hugging Face's order.
func (t *sourceTensor) readRows(dst []byte, row, n int) error {
	if t.headDim == 0 {
		return t.readAt(dst, row)
	}
	rowBytes := t.dtype.RowBytes(t.cols)
	for i := range n {
		if err := t.readAt(dst[i*rowBytes:(i+1)*rowBytes], interleavedRow(row+i, t.headDim)); err != nil {
			return err
		}
	}
	return nil
}

func (t *sourceTensor) readAt(dst []byte, row int) error {
	n, err := t.data.ReadAt(dst, t.offset+int64(row)*int64(t.dtype.RowBytes(t.cols)))
	if n == len(dst) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = ErrTruncated // the file became shorter after it was opened
	}
	return fmt.Errorf("weights: convert: %s: tensor %s: read row %d: %w", t.file, t.name, row, err)
}

// interleavedRow returns where GGUF files of Llama keep a row of q or k. Rotation pairs row i of a head with row i+headDim/2; there
// the two stand side by side.
func interleavedRow(row, headDim int) int {
	head, r := row/headDim*headDim, row%headDim
	return head + r%(headDim/2)*2 + r/(headDim/2)
}

// resolve finds every tensor of the model among those found in the source, whose names nameOf gives, and refuses what is
// missing, misshapen or left over. ignored are names that do not matter.
func (s *source) resolve(found map[string]sourceTensor, path string, nameOf func(role) string, ignored func(name string) bool) error {
	s.tensors = map[string]sourceTensor{}
	used := map[string]bool{}
	for _, r := range slices.Concat(s.steps...) {
		name := nameOf(r)
		t, ok := found[name]
		if _, packed := found[strings.TrimSuffix(name, "weight")+"qweight"]; !ok && packed {
			return badSource(ErrUnsupported, path, name, "is packed as qweight, as GPTQ and AWQ do; take the model that it was made from, or a GGUF file of it")
		}
		if !ok {
			return badSource(ErrCorrupt, path, name, "is missing")
		}
		if t.rows != r.rows || t.cols != r.cols {
			return badSource(ErrCorrupt, t.file, name, "has %d rows of %d, the configuration asks for %d of %d", t.rows, t.cols, r.rows, r.cols)
		}
		if t.dtype.Integer() {
			return badSource(ErrUnsupported, t.file, name, "type %v", t.dtype)
		}
		used[name] = true
		s.tensors[r.name] = t
	}
	for name, t := range found {
		switch {
		case used[name] || ignored(name):
		case strings.HasSuffix(name, ".bias"):
			return badSource(ErrUnsupported, t.file, name, "biases")
		default:
			return badSource(ErrUnsupported, t.file, name, "does not belong to the architecture")
		}
	}
	return nil
}

// matrixShape turns a shape, slowest dimension first, into rows and columns; a vector is one row.
func matrixShape(shape []int) (rows, cols int) {
	switch len(shape) {
	case 1:
		return 1, shape[0]
	case 2:
		return shape[0], shape[1]
	}
	return 0, 0 // no tensor of a model has this shape
}

// bytesFile is a tokenizer file with the given content.
func bytesFile(name string, content []byte) tokenizerFile {
	return tokenizerFile{name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

// diskFile is a tokenizer file that is a copy of path.
func diskFile(path string) tokenizerFile {
	return tokenizerFile{filepath.Base(path), func() (io.ReadCloser, error) { return openRegular(path) }}
}
