package weights

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// Model is a model that a program makes, rather than reads from files of another format, for [Write].
type Model struct {
	Config    []byte            // in the vocabulary of Hugging Face's config.json
	Tokenizer map[string][]byte // the tokenizer's files by name
	Tensors   map[string]Tensor // by the names that the package documentation lists
}

// Tensor is a tensor of a [Model].
type Tensor struct {
	Type       tensor.DType
	Rows, Cols int // a vector is one row
	// Data are the rows, Type.RowBytes(Cols) each. It is read by several goroutines at once, a few rows at a time.
	Data io.ReaderAt
}

// Write makes a store at dst of a model as [Convert] does of files, under the same options. All tensors of the architecture must be there, and no
// others; without one called head, the embedding is the head.
func Write(ctx context.Context, m Model, dst string, opts ConvertOptions) error {
	return writeStore(ctx, dst, opts, m.source)
}

func (m Model) source() (*source, error) {
	const file = "model"
	arch, _, err := parseArchitecture(m.Config, file)
	if err != nil {
		return nil, err
	}
	_, untied := m.Tensors[headName]
	s := &source{steps: arch.steps(!untied), close: func() error { return nil }}
	if s.config, err = canonicalConfig(m.Config, !untied); err != nil {
		return nil, badSource(ErrCorrupt, file, "", "%v", err)
	}
	found := map[string]sourceTensor{}
	for name, t := range m.Tensors {
		if t.Data == nil {
			return nil, fmt.Errorf("weights: write: tensor %s has no data", name)
		}
		found[name] = sourceTensor{name: name, file: file, dtype: t.Type, rows: t.Rows, cols: t.Cols, data: t.Data}
	}
	if err := s.resolve(found, file, func(r role) string { return r.name }, func(string) bool { return false }); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tokenizer)) {
		s.tokenizer = append(s.tokenizer, bytesFile(name, m.Tokenizer[name]))
	}
	return s, nil
}
