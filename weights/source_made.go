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
	// Config is a JSON object: Hugging Face's config.json, or with Steps whatever the program that reads the store wants to know.
	Config    []byte
	Tokenizer map[string][]byte // the tokenizer's files by name
	Tensors   map[string]Tensor // by the names that the package documentation lists, or those in Steps
	// Steps are the names of the tensors of an architecture of one's own, by the steps of a pass, each of which becomes a chunk, and in
	// the order in which the pass uses them. The first step is the tensor embedding alone. Others may have any names, but final_norm and
	// head, which belong into the last step, are the ones that a [Plan] pins first; without head, the embedding is the head. Shapes are
	// those of the tensors, and one of a single row is a vector, kept as F32. What passes may leave out, such as an expert, is a step
	// of its own: it then shares the segments that are read with nothing else. nil: the architecture in Config, Llama or Qwen3.
	Steps [][]string
}

// Tensor is a tensor of a [Model].
type Tensor struct {
	Type       tensor.DType
	Rows, Cols int // a vector is one row
	// Data are the rows, Type.RowBytes(Cols) each. It is read by several goroutines at once, a few rows at a time.
	Data io.ReaderAt
}

// madeFile stands for a [Model] in errors, which name files otherwise.
const madeFile = "model"

// Write makes a store at dst of a model as [Convert] does of files, under the same options. All tensors of the architecture, or of Steps, must be
// there, and no others; without one called head, the embedding is the head.
func Write(ctx context.Context, m Model, dst string, opts ConvertOptions) error {
	return writeStore(ctx, dst, opts, m.source)
}

func (m Model) source() (*source, error) {
	found := map[string]sourceTensor{}
	for name, t := range m.Tensors {
		if err := t.check(name); err != nil {
			return nil, err
		}
		found[name] = sourceTensor{name: name, file: madeFile, dtype: t.Type, rows: t.Rows, cols: t.Cols, data: t.Data}
	}
	s := &source{close: func() error { return nil }}
	_, untied := m.Tensors[headName]
	var err error
	if s.steps, err = m.roles(!untied); err != nil {
		return nil, err
	}
	if s.config, err = canonicalConfig(m.Config, !untied); err != nil {
		return nil, badSource(ErrCorrupt, madeFile, "", "its configuration is no JSON object: %v", err)
	}
	if err := s.resolve(found, madeFile, func(r role) string { return r.name }, func(string) bool { return false }); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tokenizer)) {
		s.tokenizer = append(s.tokenizer, bytesFile(name, m.Tokenizer[name]))
	}
	return s, nil
}

// check refuses a tensor that cannot be read.
func (t Tensor) check(name string) error {
	_, unknown := tensor.ParseDType(t.Type.String())
	switch {
	case t.Data == nil:
		return fmt.Errorf("weights: write: tensor %s has no data", name)
	case unknown != nil:
		return badSource(ErrUnsupported, madeFile, name, "has no type; set that of its data")
	case t.Rows <= 0 || t.Rows > maxRows || t.Cols <= 0 || t.Cols > maxCols:
		return badSource(ErrCorrupt, madeFile, name, "has %d rows of %d, not within 1 to %d and %d", t.Rows, t.Cols, maxRows, maxCols)
	case t.Cols%t.Type.BlockElems() != 0:
		return badSource(ErrCorrupt, madeFile, name, "has rows of %d, which blocks of %v do not fill; give it as f32 or f16", t.Cols, t.Type)
	}
	return nil
}

// roles returns the tensors of each execution step in order of use.
func (m Model) roles(tied bool) ([][]role, error) {
	if m.Steps != nil {
		return m.ownRoles()
	}
	arch, _, err := parseArchitecture(m.Config, madeFile)
	if err != nil {
		return nil, err
	}
	return arch.steps(tied), nil
}

// ownRoles returns the tensors that Steps lists.
func (m Model) ownRoles() ([][]role, error) {
	// Rows of the embedding are looked up one by one; it would be in the way of what a pass reads in order.
	if len(m.Steps) < 2 || !slices.Equal(m.Steps[0], []string{embeddingName}) {
		return nil, badSource(ErrUnsupported, madeFile, embeddingName, "is not all that the first of %d steps lists; list it there alone, and the rest in others", len(m.Steps))
	}
	stepOf := map[string]int{}
	var steps [][]role
	for i, names := range m.Steps {
		if len(names) == 0 {
			return nil, badSource(ErrCorrupt, madeFile, "", "step %d lists no tensors; leave it out", i)
		}
		var step []role
		for _, name := range names {
			t, ok := m.Tensors[name]
			if !ok {
				return nil, badSource(ErrCorrupt, madeFile, name, "is listed in step %d but missing; add it, or take it from the list", i)
			}
			if first, ok := stepOf[name]; ok {
				return nil, badSource(ErrCorrupt, madeFile, name, "is listed in step %d and again in step %d; list it once", first, i)
			}
			stepOf[name] = i
			step = append(step, role{name: name, rows: t.Rows, cols: t.Cols, vector: t.Rows == 1 && name != embeddingName})
		}
		steps = append(steps, step)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tensors)) {
		if _, ok := stepOf[name]; !ok {
			return nil, badSource(ErrUnsupported, madeFile, name, "is in no step; list it where a pass uses it, or leave it out")
		}
	}
	return steps, nil
}
