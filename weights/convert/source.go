package convert

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// source is a model in another format.
type source struct {
	model weights.Contents
	notes []string // what the user should know of how the model was understood
	close func() error
}

// sourceTensor is a tensor in its own file.
type sourceTensor struct {
	name       string // in the file
	file       string
	dtype      tensor.DType
	rows, cols int
	data       io.ReaderAt
	offset     int64
}

// openSource opens a Hugging Face folder or a GGUF file.
func openSource(path string, own []*arch.Architecture) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	isStore, err := weights.IsStore(path)
	switch ext := filepath.Ext(path); {
	case err != nil:
		return nil, fmt.Errorf("convert: %w", err)
	case isStore:
		f, err := regular.Open(filepath.Join(path, weights.ManifestName))
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		f.Close()
		return nil, badSource(weights.ErrUnsupported, path, "", "it is a store already; convert from the model that it was made from")
	case info.IsDir():
		return openHF(path, own)
	case ext == ".safetensors" || ext == ".json":
		return nil, badSource(weights.ErrUnsupported, path, "", "it is one file of a model; give the folder that holds it")
	}
	s, err := openGGUF(path, own)
	if what := otherForm(filepath.Base(path)); errors.Is(err, gguf.ErrMagic) && what != "" {
		return nil, badSource(weights.ErrUnsupported, path, "", "%s", what)
	}
	return s, err
}

// parse reads a configuration; file is its name in errors.
func parse(config []byte, file string, own []*arch.Architecture) (*arch.Model, error) {
	m, err := arch.Parse(config, own...)
	if errors.Is(err, arch.ErrUnsupported) {
		return nil, badSource(weights.ErrUnsupported, file, "", "%s", strings.TrimSuffix(err.Error(), ": "+arch.ErrUnsupported.Error()))
	}
	if err != nil {
		return nil, badSource(weights.ErrCorrupt, file, "", "%v", err)
	}
	return m, nil
}

// headOf returns the tensor that tied models lack.
func headOf(m *arch.Model) arch.Tensor {
	last := m.Steps[len(m.Steps)-1]
	return last[slices.IndexFunc(last, func(t arch.Tensor) bool { return t.Name == arch.Head })]
}

// resolve finds every tensor of the model among those found in the source, whose names and first rows placeOf gives, and refuses what is
// missing, misshapen or left over. ignored are names that do not matter.
func (s *source) resolve(m *arch.Model, tied bool, found map[string]sourceTensor, path string, placeOf func(arch.Tensor) (name string, row int), ignored func(name string) bool) error {
	s.model.Tensors = map[string]weights.Tensor{}
	used := map[string]int{} // rows of tensors
	for _, step := range m.Steps {
		var names []string
		for _, want := range step {
			if want.Name == arch.Head && tied {
				continue
			}
			name, row := placeOf(want)
			t, ok := found[name]
			if _, packed := found[strings.TrimSuffix(name, "weight")+"qweight"]; !ok && packed {
				return badSource(weights.ErrUnsupported, path, name, "is packed as qweight, as GPTQ and AWQ do; take the model that it was made from, or a GGUF file of it")
			}
			if !ok {
				return badSource(weights.ErrCorrupt, path, name, "is missing")
			}
			if n := t.rows * t.cols; want.Vector && n == want.Cols && t.dtype.BlockElems() == 1 {
				t.rows, t.cols = 1, n
				found[name] = t
			}
			if t.rows < row+want.Rows || t.cols != want.Cols {
				return badSource(weights.ErrCorrupt, t.file, name, "has %s of %d, the configuration asks for %d of %d", plural.Of(t.rows, "row"), t.cols, row+want.Rows, want.Cols)
			}
			used[name] += want.Rows
			rowBytes := int64(t.dtype.RowBytes(t.cols))
			s.model.Tensors[want.Name] = weights.Tensor{
				Type: t.dtype, Rows: want.Rows, Cols: want.Cols, File: t.file, Name: name, Expert: want.Expert,
				Data: io.NewSectionReader(t.data, t.offset+int64(row)*rowBytes, int64(want.Rows)*rowBytes),
			}
			names = append(names, want.Name)
		}
		s.model.Steps = append(s.model.Steps, names)
	}
	for name, t := range found {
		switch {
		case used[name] == t.rows || ignored(name):
		case used[name] > 0:
			return badSource(weights.ErrCorrupt, t.file, name, "has %s of %d, the configuration asks for %d of them", plural.Of(t.rows, "row"), t.cols, used[name])
		case strings.HasSuffix(name, ".bias"):
			return badSource(weights.ErrUnsupported, t.file, name, "biases")
		default:
			return badSource(weights.ErrUnsupported, t.file, name, "does not belong to the architecture")
		}
	}
	return nil
}

// read fills dst with rows from row on, in their own type.
func (t *sourceTensor) read(dst []byte, row int) error {
	n, err := t.data.ReadAt(dst, t.offset+int64(row)*int64(t.dtype.RowBytes(t.cols)))
	if n == len(dst) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = weights.ErrTruncated // the file became shorter after it was opened
	}
	return badSource(err, t.file, t.name, "read row %d", row)
}

// matrixShape turns a shape, slowest dimension first, into rows and columns; a vector is one row, and matrices in a tensor stand one below the other.
func matrixShape(shape []int) (rows, cols int) {
	switch len(shape) {
	case 0:
		return 1, 1
	case 1:
		return 1, shape[0]
	case 2:
		return shape[0], shape[1]
	case 3:
		return shape[0] * shape[1], shape[2]
	case 4: // rows of blocks
		return shape[0] * shape[1] * shape[2], shape[3]
	}
	return 0, 0 // no tensor of a model has this shape
}
