package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/lever-go/lever/internal/regular"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Folder is the set of tensors of a model folder.
type Folder struct {
	Path     string            // of the index, or of the single file
	Tensors  map[string]Tensor // by name
	Metadata map[string]string // of all files

	files []*os.File
}

// OpenModel opens the safetensors files of folder dir: those that model.safetensors.index.json names, or else, as where these are not there,
// model.safetensors. The caller closes the Model. Errors are [*Error] or come from the operating system.
func OpenModel(dir string) (*Folder, error) {
	m := &Folder{Path: filepath.Join(dir, indexName), Tensors: map[string]Tensor{}}
	weightMap, err := readIndex(m.Path)
	if errors.Is(err, fs.ErrNotExist) {
		m.Path = filepath.Join(dir, singleName)
		err = m.openSingle()
	} else if err == nil {
		err = m.openShards(dir, weightMap)
		if single := filepath.Join(dir, singleName); errors.Is(err, fs.ErrNotExist) && exists(single) {
			// The index was left over from a model in several files.
			m.Path, m.Tensors = single, map[string]Tensor{}
			err = errors.Join(m.Close(), m.openSingle())
		}
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Open opens a single safetensors file. The caller closes the Model. Errors are as of [OpenModel].
func Open(path string) (*Folder, error) {
	m := &Folder{Path: path, Tensors: map[string]Tensor{}}
	if err := m.openSingle(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close closes the files.
func (m *Folder) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	m.files = nil
	return errors.Join(errs...)
}

func (m *Folder) openSingle() error {
	tensors, err := m.open(m.Path)
	for _, t := range tensors {
		m.Tensors[t.Name] = t
	}
	return err
}

func (m *Folder) openShards(dir string, weightMap map[string]string) error {
	shards := map[string]map[string]Tensor{}
	for name, file := range weightMap {
		if filepath.Base(file) != file || !filepath.IsLocal(file) {
			return &Error{Format: "safetensors", File: m.Path, Tensor: name, Reason: fmt.Sprintf("is said to be in %q, which is not a file of the folder", file), Err: ErrCorrupt}
		}
		if shards[file] == nil {
			tensors, err := m.open(filepath.Join(dir, file))
			if err != nil {
				return err
			}
			shards[file] = map[string]Tensor{}
			for _, t := range tensors {
				shards[file][t.Name] = t
			}
		}
		t, ok := shards[file][name]
		if !ok {
			return &Error{Format: "safetensors", File: m.Path, Tensor: name, Reason: fmt.Sprintf("is said to be in %s, but is not there", file), Err: ErrCorrupt}
		}
		m.Tensors[name] = t
	}
	return nil
}

func (m *Folder) open(path string) ([]Tensor, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	m.files = append(m.files, f)
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	tensors, metadata, err := Read(f, info.Size(), path)
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	maps.Copy(m.Metadata, metadata)
	return tensors, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readIndex(path string) (map[string]string, error) {
	raw, err := regular.Read(path, maxHeader)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return parseIndex(raw, path)
}

func parseIndex(raw []byte, path string) (map[string]string, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, &Error{Format: "safetensors", File: path, Reason: err.Error(), Err: ErrCorrupt}
	}
	if len(index.WeightMap) == 0 {
		return nil, &Error{Format: "safetensors", File: path, Reason: "has no weight_map", Err: ErrCorrupt}
	}
	return index.WeightMap, nil
}
