package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tensor"
)

// Contents are those of a model that [Write] makes a store of. Package convert reads it from files of other formats; a program may make one.
type Contents struct {
	// Config is a JSON object: Hugging Face's config.json, or whatever the architecture that builds the decoder wants to know.
	Config    []byte
	Tokenizer map[string][]byte // the tokenizer's files by name
	Tensors   map[string]Tensor // by the names in Steps
	// Steps are the names of all tensors by the steps of a pass, each of which becomes a chunk, and in the order in which the pass uses
	// them. The first step are tables, of which a pass looks up the rows of its tokens: the tensor embedding, and others if there are some. Other
	// steps may have any names, but final_norm and head, which belong into the last step, are the ones that a [Plan] pins first; without head, the
	// embedding is the head. The tensors of an expert, marked as [Tensor].Expert says, are read only for rows that are routed to it. Shapes are
	// those of the tensors, and one of a single row that is no table is a vector, kept as F32.
	Steps [][]string
}

// Tensor is a tensor of [Contents].
type Tensor struct {
	Type       tensor.DType
	Rows, Cols int // a vector is one row
	// Data are the rows, Type.RowBytes(Cols) each. It is read by several goroutines at once, a few rows at a time.
	Data io.ReaderAt
	// Expert, if it is not empty, says that passes use the tensor only if they are routed to the expert of that name. The tensors of an expert
	// stand one after the other in a step, and share their segments with no others.
	Expert string
	// File and Name say in errors where the data come from. If they are empty, that is the model and the tensor's name in it.
	File, Name string
}

// role is one tensor that a model consists of.
type role struct {
	name       string
	rows, cols int
	vector     bool // one row, kept as F32
}

// content is what [Contents] hold once they are checked.
type content struct {
	config    []byte
	tokenizer map[string][]byte
	steps     [][]role
	tensors   map[string]Tensor

	importance map[string]*tensor.Moments
}

// Describe describes the store that [Write] would make of the model, and fails as it would. It reads no weights. dir is the folder that
// [Info] names.
func (m Contents) Describe(dir string, opts WriteOptions) (*Info, error) {
	c, err := m.check(opts)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "lever-inspect-")
	if err != nil {
		return nil, fmt.Errorf("weights: inspect %s: %w", dir, err)
	}
	defer os.RemoveAll(temp)
	manifest, err := c.begin(temp, opts)
	if err != nil {
		return nil, err
	}
	return (&Store{dir: dir, manifest: manifest}).describe(), nil
}

// check refuses a model that no store can be made of.
func (m Contents) check(opts WriteOptions) (*content, error) {
	if err := checkWords(strconv.IntSize); err != nil {
		return nil, err
	}
	if err := opts.checkTypes(); err != nil {
		return nil, err
	}
	c := &content{tokenizer: m.Tokenizer, tensors: map[string]Tensor{}, importance: opts.Importance}
	for name, t := range m.Tensors {
		if t.Name == "" {
			t.Name = name
		}
		if err := t.check(); err != nil {
			return nil, err
		}
		c.tensors[name] = t
	}
	if err := m.checkImportance(opts.Importance); err != nil {
		return nil, err
	}
	var err error
	if c.steps, err = m.roles(); err != nil {
		return nil, err
	}
	_, untied := m.Tensors[headName]
	if c.config, err = canonicalConfig(m.Config, !untied); err != nil {
		return nil, fmt.Errorf("weights: write: the configuration is no JSON object: %w: %w", err, ErrArgument)
	}
	return c, nil
}

// checkImportance refuses what was measured for another model.
func (m Contents) checkImportance(importance map[string]*tensor.Moments) error {
	for _, name := range slices.Sorted(maps.Keys(importance)) {
		t, ok := m.Tensors[name]
		if name == headName && !ok {
			t, ok = m.Tensors[embeddingName]
		}
		cols, err := importance[name].Cols()
		if err != nil || !ok || cols != t.Cols {
			return Tensor{Name: name}.fault(ErrArgument, "importance of %d columns, of %d; it was measured for another model", cols, t.Cols)
		}
	}
	return nil
}

// check refuses a tensor that cannot be read.
func (t Tensor) check() error {
	_, unknown := tensor.ParseDType(t.Type.String())
	switch {
	case t.Data == nil:
		return t.fault(ErrArgument, "has no data")
	case unknown != nil:
		return t.fault(ErrArgument, "has no type; set that of its data")
	case t.Type.Integer():
		return t.fault(ErrUnsupported, "type %v", t.Type)
	case t.Rows <= 0 || t.Rows > maxRows || t.Cols <= 0 || t.Cols > maxCols:
		return t.fault(ErrArgument, "has %s of %d, not within 1 to %d and %d", plural.Of(t.Rows, "row"), t.Cols, maxRows, maxCols)
	case t.Cols%t.Type.BlockElems() != 0:
		return t.fault(ErrArgument, "has rows of %d, which blocks of %v do not fill; give it as f32 or f16", t.Cols, t.Type)
	}
	return nil
}

// fault makes an error about the tensor.
func (t Tensor) fault(kind error, format string, args ...any) error {
	file := t.File
	if file == "" {
		file = "model"
	}
	return fmt.Errorf("weights: write: %s: tensor %s: %s: %w", file, fileerr.Name(t.Name), fileerr.Text(fmt.Sprintf(format, args...)), kind)
}

// roles returns the tensors of each execution step in order of use.
func (m Contents) roles() ([][]role, error) {
	fault := func(name, format string, args ...any) error {
		return Tensor{Name: name}.fault(ErrArgument, format, args...)
	}
	if len(m.Steps) < 2 || len(m.Steps[0]) == 0 || m.Steps[0][0] != embeddingName {
		return nil, fault(embeddingName, "is not what the first of %d steps begins with; list it there, and what is not looked up by row in others", len(m.Steps))
	}
	stepOf := map[string]int{}
	var steps [][]role
	for i, names := range m.Steps {
		if len(names) == 0 {
			return nil, fmt.Errorf("weights: write: step %d lists no tensors; leave it out: %w", i, ErrArgument)
		}
		var step []role
		for _, name := range names {
			t, ok := m.Tensors[name]
			if !ok {
				return nil, fault(name, "is listed in step %d but missing; add it, or take it from the list", i)
			}
			if i == 0 && t.Expert != "" {
				return nil, fault(name, "is an expert's in the step of the tables; list it where a pass uses it")
			}
			if first, ok := stepOf[name]; ok {
				return nil, fault(name, "is listed in step %d and again in step %d; list it once", first, i)
			}
			stepOf[name] = i
			step = append(step, role{name: name, rows: t.Rows, cols: t.Cols, vector: t.Rows == 1 && i > 0})
		}
		steps = append(steps, step)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tensors)) {
		if _, ok := stepOf[name]; !ok {
			return nil, fault(name, "is in no step; list it where a pass uses it, or leave it out")
		}
	}
	return steps, nil
}

// canonicalConfig sorts the keys of a configuration and makes tie_word_embeddings explicit. Numbers keep their text.
func canonicalConfig(config []byte, tied bool) ([]byte, error) {
	var keys map[string]any
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.UseNumber()
	if err := dec.Decode(&keys); err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, errors.New("is null")
	}
	keys["tie_word_embeddings"] = tied
	return json.Marshal(keys)
}
