package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/internal/safetensors"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// tokenizerPatterns match the files of a model folder that a tokenizer may need; config.json names stop tokens.
var tokenizerPatterns = []string{
	"tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json", "tokenizer.model", "tekken.json", "*.tiktoken", "chat_template.jinja",
}

// CheckConfig returns the error with which [Convert] would refuse a Hugging Face folder with this config.json, which name stands for in errors.
func CheckConfig(config []byte, name string, own ...*arch.Architecture) error {
	_, config, err := cutQuantization(config, name)
	if err == nil {
		_, err = parse(config, name, own)
	}
	return err
}

// openHF opens a Hugging Face folder: config.json, safetensors, tokenizer files.
func openHF(dir string, own []*arch.Architecture) (*source, error) {
	path := filepath.Join(dir, "config.json")
	config, err := regular.Read(path, arch.MaxConfig)
	if err != nil {
		return nil, fmt.Errorf("convert: %s is neither a store nor a Hugging Face folder%s: %w", dir, hint(dir), err)
	}
	if what := fileerr.Foreign(config); what != "" {
		return nil, badSource(weights.ErrCorrupt, path, "", "%s", what)
	}
	quantized, config, err := cutQuantization(config, path)
	if err != nil {
		return nil, err
	}
	m, err := parse(config, path, own)
	if err != nil {
		return nil, err
	}
	files, err := safetensors.OpenModel(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("convert: the weights of %s are not all there%s: %w", dir, hint(dir), err)
	}
	if err != nil {
		return nil, fromParser(err)
	}
	s := &source{model: weights.Contents{Config: config}, close: files.Close}
	if err := s.describeHF(dir, m, quantized, files); err != nil {
		files.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) describeHF(dir string, m *arch.Model, quantized method, files *safetensors.Folder) (err error) {
	found, unused := map[string]sourceTensor{}, map[string]bool{}
	for name, t := range files.Tensors {
		rows, cols := matrixShape(t.Shape)
		if m.TextPart {
			var part string
			if name, part = inText(name); part != "" {
				unused[part] = true
				continue
			}
		}
		found[name] = sourceTensor{name: name, file: t.File, dtype: t.Type, rows: rows, cols: cols, data: t.Data, offset: t.Offset}
	}
	if quantized != nil {
		if s.notes, err = quantized.restore(found); err != nil {
			return err
		}
	}
	for _, t := range found {
		if t.dtype == tensor.F8_E4M3 || t.dtype == tensor.F8_E5M2 {
			return badSource(weights.ErrUnsupported, t.file, t.name, "type %v without a scale that config.json explains; take the model that it was made from, or a GGUF file of it", t.dtype)
		}
	}
	if len(unused) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("the model is used for text alone, and these parts of it are not: %s",
			fileerr.Text(strings.Join(slices.Sorted(maps.Keys(unused)), ", "))))
	}
	// A configuration that says nothing means whatever the tensors show.
	head := headOf(m).HF
	_, hasHead := found[head]
	tied := !hasHead
	if m.Tied != nil {
		tied = *m.Tied
	}
	if tied && hasHead {
		// A head that differs was meant, whatever the flag says; so transformers takes it, too.
		if tied, err = sameTensor(found[head], found[m.Steps[0][0].HF]); err != nil {
			return err
		}
		if !tied {
			s.notes = append(s.notes, fmt.Sprintf("%s is kept, since it differs from the embedding, although config.json says tie_word_embeddings", head))
		}
	}
	ignored := func(name string) bool {
		isBuffer := strings.HasSuffix(name, ".rotary_emb.inv_freq") // which follows from the configuration
		return tied && name == head || isBuffer || slices.ContainsFunc(m.Unused, func(t arch.Tensor) bool { return t.HF == name })
	}
	if err := s.resolve(m, tied, found, files.Path, func(t arch.Tensor) (string, int) { return t.HF, t.HFRow }, ignored); err != nil {
		return err
	}
	for _, want := range slices.Concat(m.Steps...) {
		if t, ok := found[want.HF]; ok && want.HFOffset != 0 {
			out := s.model.Tensors[want.Name]
			out.Type, out.Data = tensor.F32, shifted{t, want.HFOffset}
			s.model.Tensors[want.Name] = out
		}
	}
	s.model.Tokenizer, err = tokenizerFiles(dir)
	return err
}

// inText returns the name that a tensor of a model for images or sounds and text would have in one for text alone, or which other part it belongs to.
func inText(name string) (own, part string) {
	if rest, ok := strings.CutPrefix(name, "model.language_model."); ok {
		return "model." + rest, ""
	}
	if rest, ok := strings.CutPrefix(name, "language_model."); ok {
		return rest, ""
	}
	for _, prefix := range []string{"lm_head.", "model.layers.", "model.embed_tokens.", "model.norm."} {
		if strings.HasPrefix(name, prefix) {
			return name, ""
		}
	}
	part, _, _ = strings.Cut(strings.TrimPrefix(name, "model."), ".")
	return "", part
}

// sameTensor reports whether two tensors hold the same bytes.
func sameTensor(a, b sourceTensor) (bool, error) {
	if a.dtype != b.dtype || a.rows != b.rows || a.cols != b.cols {
		return false, nil
	}
	const rows = 64
	n := a.dtype.RowBytes(a.cols)
	bufA, bufB := make([]byte, rows*n), make([]byte, rows*n)
	for row := 0; row < a.rows; row += rows {
		k := min(rows, a.rows-row)
		if err := errors.Join(a.read(bufA[:k*n], row), b.read(bufB[:k*n], row)); err != nil {
			return false, err
		}
		if !bytes.Equal(bufA[:k*n], bufB[:k*n]) {
			return false, nil
		}
	}
	return true, nil
}

// maxTokenizer bounds the bytes of a tokenizer's file.
const maxTokenizer = 256 << 20

// tokenizerFiles reads the tokenizer's files of a folder.
func tokenizerFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		matches := func(pattern string) bool {
			ok, _ := filepath.Match(pattern, e.Name()) // the patterns are well-formed
			return ok
		}
		if e.IsDir() || !slices.ContainsFunc(tokenizerPatterns, matches) {
			continue
		}
		if files[e.Name()], err = regular.Read(filepath.Join(dir, e.Name()), maxTokenizer); err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
	}
	return files, nil
}
