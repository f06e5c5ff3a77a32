package convert

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// splitGGUF writes a model into n files and returns their paths.
func splitGGUF(t *testing.T, c gguf.Content, n int) []string {
	t.Helper()
	dir := t.TempDir()
	all := c.Tensors
	var paths []string
	for i := range n {
		part := gguf.Content{Metadata: map[string]any{"general.architecture": "llama"}, Tensors: all[len(all)*i/n : len(all)*(i+1)/n]}
		if i == 0 {
			part.Metadata = c.Metadata
		}
		part.Metadata["split.no"], part.Metadata["split.count"], part.Metadata["split.tensors.count"] = uint16(i), uint16(n), int32(len(all))
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", i+1, n)))
		if err := os.Rename(writeGGUF(t, part), paths[i]); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func TestSplitGGUF(t *testing.T) {
	m := newModel(small, false)
	want := chunkFiles(t, makeStore(t, writeGGUF(t, m.gguf(t, tensor.F16)), tensor.Q8_0))
	paths := splitGGUF(t, m.gguf(t, tensor.F16), 3)
	if !reflect.DeepEqual(chunkFiles(t, makeStore(t, paths[0], tensor.Q8_0)), want) {
		t.Error("the store of three files differs from that of one")
	}
	refused(t, paths[1], weights.ErrUnsupported, "part 2 of 3", "m-00001-of-00003.gguf")

	second := readFile(t, paths[1])
	writeFile(t, paths[1], readFile(t, paths[2]))
	refused(t, paths[0], weights.ErrCorrupt, "part 3 of 3 by its metadata", "part 2 of 3 by its name")
	writeFile(t, paths[1], second)
	if err := os.Remove(paths[2]); err != nil {
		t.Fatal(err)
	}
	refused(t, paths[0], fs.ErrNotExist, "m-00003-of-00003.gguf", "not beside it")

	c := m.gguf(t, tensor.F16)
	paths = splitGGUF(t, c, 2)
	c.Tensors = c.Tensors[:len(c.Tensors)-1]
	other := splitGGUF(t, c, 2)
	writeFile(t, paths[1], readFile(t, other[1]))
	refused(t, paths[0], weights.ErrCorrupt, "tensors in 2 parts")
}
