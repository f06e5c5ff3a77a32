package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/internal/safetensors"
)

// tokenizerPatterns match the files of a model folder that a tokenizer may need; config.json names stop tokens.
var tokenizerPatterns = []string{
	"tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json", "tokenizer.model", "*.tiktoken", "chat_template.jinja",
}

const maxConfig = 16 << 20 // bytes of a config.json

// openHF opens a Hugging Face folder: config.json, safetensors, tokenizer files.
func openHF(dir string) (*source, error) {
	path := filepath.Join(dir, "config.json")
	config, err := regular.Read(path, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("weights: convert: %s is neither a store nor a Hugging Face folder%s: %w", dir, hint(dir), err)
	}
	if what := fileerr.Foreign(config); what != "" {
		return nil, badSource(ErrCorrupt, path, "", "%s", what)
	}
	arch, tied, err := parseArchitecture(config, path)
	if err != nil {
		return nil, err
	}
	model, err := safetensors.OpenModel(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("weights: convert: the weights of %s are not all there%s: %w", dir, hint(dir), err)
	}
	if err != nil {
		return nil, fromParser(err)
	}
	s := &source{close: model.Close}
	if err := s.describeHF(dir, config, arch, tied, model); err != nil {
		model.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) describeHF(dir string, config []byte, arch architecture, tied *bool, model *safetensors.Model) (err error) {
	found := map[string]sourceTensor{}
	for name, t := range model.Tensors {
		rows, cols := matrixShape(t.Shape)
		found[name] = sourceTensor{name: name, file: t.File, dtype: t.Type, rows: rows, cols: cols, data: t.Data, offset: t.Offset}
	}
	// A configuration that says nothing means whatever the tensors show.
	head := headRole(arch).hf
	_, hasHead := found[head]
	isTied := !hasHead
	if tied != nil {
		isTied = *tied
	}
	if isTied && hasHead {
		// A head that differs was meant, whatever the flag says; so transformers takes it, too.
		same, err := sameTensor(found[head], found[arch.steps(true)[0][0].hf])
		if err != nil {
			return err
		}
		isTied = same
	}
	s.steps = arch.steps(isTied)
	ignored := func(name string) bool {
		return isTied && name == head || strings.HasSuffix(name, ".rotary_emb.inv_freq") // a buffer that follows from the configuration
	}
	if err := s.resolve(found, model.Path, func(r role) string { return r.hf }, ignored); err != nil {
		return err
	}
	if s.config, err = canonicalConfig(config, isTied); err != nil {
		return badSource(ErrCorrupt, filepath.Join(dir, "config.json"), "", "%v", err)
	}
	s.tokenizer, err = tokenizerFiles(dir)
	return err
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
		if err := errors.Join(a.readRows(bufA[:k*n], row, k), b.readRows(bufB[:k*n], row, k)); err != nil {
			return false, err
		}
		if !bytes.Equal(bufA[:k*n], bufB[:k*n]) {
			return false, nil
		}
	}
	return true, nil
}

// canonicalConfig sorts the keys of a config.json and makes tie_word_embeddings explicit. Numbers keep their text.
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

// tokenizerFiles lists the tokenizer's files of a folder by name.
func tokenizerFiles(dir string) ([]tokenizerFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("weights: convert: %w", err)
	}
	var files []tokenizerFile
	for _, e := range entries {
		matches := func(pattern string) bool {
			ok, _ := filepath.Match(pattern, e.Name()) // the patterns are well-formed
			return ok
		}
		if !e.IsDir() && slices.ContainsFunc(tokenizerPatterns, matches) {
			files = append(files, diskFile(filepath.Join(dir, e.Name())))
		}
	}
	return files, nil
}
