package convert

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/weights"
)

// openParts opens the other files of a model whose first file, at path, is f, and returns all of them. Of a model in one file, f is the
// only one. After an error, the caller closes f alone.
func openParts(path string, f *gguf.File) (_ []*gguf.File, err error) {
	files := []*gguf.File{f}
	number, count, err := partOf(path, f)
	if err != nil || count == 1 {
		return files, err
	}
	paths := gguf.Parts(path)
	switch {
	case number > 0 && len(paths) == count:
		return nil, badSource(weights.ErrUnsupported, path, "", "part %d of %d of a model; give the first part, %s", number+1, count, filepath.Base(paths[0]))
	case len(paths) != count || filepath.Base(paths[0]) != filepath.Base(path):
		return nil, badSource(weights.ErrUnsupported, path, "", "part %d of %d of a model; name the parts as NAME-00001-of-%05[2]d.gguf and so on, and give the first one, or "+
			"merge them, as llama-gguf-split --merge does", number+1, count)
	}
	defer func() {
		if err != nil {
			gguf.CloseAll(files[1:])
		}
	}()
	tensors := len(f.Tensors)
	for i, p := range paths[1:] {
		part, err := gguf.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, badSource(fs.ErrNotExist, path, "", "part %d of %d of a model, %s, is not beside it; put all parts into one folder", i+2, count, filepath.Base(p))
		}
		if err != nil {
			return nil, fromParser(err)
		}
		files = append(files, part)
		n, of, err := partOf(p, part)
		if err != nil {
			return nil, err
		}
		if n != i+1 || of != count {
			return nil, badSource(weights.ErrCorrupt, p, "", "is part %d of %d by its metadata, but part %d of %d by its name", n+1, of, i+2, count)
		}
		tensors += len(part.Tensors)
	}
	m := &metadata{values: f.Metadata, path: path}
	if want := m.integer("split.tensors.count", int64(tensors)); m.err == nil && want != int64(tensors) {
		return nil, badSource(weights.ErrCorrupt, path, "", "has %s in %s, not %d; are they parts of one model?", plural.Of(tensors, "tensor"), plural.Of(count, "part"), want)
	}
	return files, m.err
}

// partOf returns which part of how many a file is, counted from 0.
func partOf(path string, f *gguf.File) (number, count int, err error) {
	m := &metadata{values: f.Metadata, path: path}
	count = int(max(m.integer("split.count", 1), 1))
	number = int(m.integer("split.no", 0))
	return number, count, m.err
}
