package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/tensor"
)

// file makes a safetensors file of a header and n bytes of data.
func file(header string, n int) []byte {
	raw := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	raw = append(raw, header...)
	for i := range n {
		raw = append(raw, byte(i))
	}
	return raw
}

func read(raw []byte) ([]Tensor, error) {
	tensors, _, err := Read(bytes.NewReader(raw), int64(len(raw)), "model.safetensors")
	return tensors, err
}

const twoTensors = `{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},` +
	`"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}  `

func TestRead(t *testing.T) {
	raw := file(twoTensors, 20)
	tensors, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(tensors) != 2 || tensors[0].Name != "a" || tensors[0].Type != tensor.BF16 || fmt.Sprint(tensors[0].Shape) != "[2 3]" || tensors[1].Size != 8 {
		t.Fatalf("got %+v", tensors)
	}
	data := make([]byte, 8)
	if _, err := tensors[1].Data.ReadAt(data, tensors[1].Offset); err != nil || data[0] != 12 {
		t.Errorf("data %v, %v", data, err)
	}
}

func TestBadFiles(t *testing.T) {
	one := func(entry string) []byte { return file(`{"x":`+entry+`}`, 16) }
	long := file("", 0)
	binary.LittleEndian.PutUint64(long, 1<<40)
	tests := []struct {
		name   string
		raw    []byte
		want   error
		reason string
	}{
		{"empty", nil, ErrTruncated, "cannot hold"},
		{"header too long", long, ErrCorrupt, "longer than"},
		{"truncated header", file(twoTensors, 0)[:30], ErrTruncated, "does not fit"},
		{"truncated data", file(twoTensors, 19), ErrTruncated, "tensor b"},
		{"not JSON", file("x", 0), ErrCorrupt, "JSON"},
		{"not an object", file("[]", 0), ErrCorrupt, "JSON object"},
		{"unfinished", file(`{"a":`, 0), ErrCorrupt, "header"},
		{"trailing text", file(`{} {}`, 0), ErrCorrupt, "after"},
		{"metadata not strings", file(`{"__metadata__":{"a":1}}`, 0), ErrCorrupt, "__metadata__"},
		{"twice", file(`{"x":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "twice"},
		{"unknown type", one(`{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]}`), ErrUnsupported, "F8_E8M0"},
		{"no type", one(`{"shape":[4],"data_offsets":[0,4]}`), ErrUnsupported, "tensor x"},
		{"no offsets", one(`{"dtype":"F32","shape":[4]}`), ErrCorrupt, "data from"},
		{"size against shape", one(`{"dtype":"F32","shape":[4],"data_offsets":[0,15]}`), ErrCorrupt, "takes 16 bytes"},
		{"outside", one(`{"dtype":"F32","shape":[4],"data_offsets":[8,24]}`), ErrTruncated, "end past"},
		{"backwards", one(`{"dtype":"F32","shape":[4],"data_offsets":[16,0]}`), ErrCorrupt, "data from"},
		{"negative", one(`{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}`), ErrCorrupt, "data from"},
		{"zero dimension", one(`{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`), ErrCorrupt, "shape"},
		{"negative dimension", one(`{"dtype":"F32","shape":[-2,-2],"data_offsets":[0,16]}`), ErrCorrupt, "shape"},
		{"overflow", one(`{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}`), ErrCorrupt, "shape"},
		{"shape is text", one(`{"dtype":"F32","shape":"4","data_offsets":[0,16]}`), ErrCorrupt, `"x"`},
		{"overlap", file(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 16), ErrCorrupt, "overlap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(tt.raw)
			if !errors.Is(err, tt.want) || !errors.As(err, new(*Error)) || !strings.Contains(err.Error(), tt.reason) || !strings.Contains(err.Error(), "model.safetensors") {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.reason)
			}
		})
	}
}

func write(t *testing.T, dir, name string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSharded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "one.safetensors", file(`{"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}}`, 3))
	write(t, dir, "two.safetensors", file(`{"b":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}}`, 4))
	index := func(s string) { write(t, dir, indexName, []byte(s)) }
	index(`{"metadata":{"total_size":7},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}`)
	m, err := OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Tensors) != 2 || m.Tensors["b"].Size != 4 || filepath.Base(m.Tensors["a"].File) != "one.safetensors" {
		t.Errorf("got %+v", m.Tensors)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct {
		index string
		want  error
	}{
		"missing tensor": {`{"weight_map":{"c":"one.safetensors"}}`, ErrCorrupt},
		"missing shard":  {`{"weight_map":{"a":"three.safetensors"}}`, os.ErrNotExist},
		"path":           {`{"weight_map":{"a":"../one.safetensors"}}`, ErrCorrupt},
		"no map":         {`{}`, ErrCorrupt},
		"not JSON":       {`weight_map`, ErrCorrupt},
	} {
		index(tt.index)
		if _, err := OpenModel(dir); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestOpenModelMissing(t *testing.T) {
	if _, err := OpenModel(t.TempDir()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), singleName) {
		t.Errorf("got %v", err)
	}
}

func TestSharedModel(t *testing.T) {
	m, err := OpenModel(testdata.Shared(t, "models/lever-tiny-llama/target"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e := m.Tensors["model.embed_tokens.weight"]
	if fmt.Sprint(e.Shape) != "[4096 384]" || e.Type != tensor.BF16 || len(m.Tensors) != 74 {
		t.Errorf("%d tensors, embedding %+v", len(m.Tensors), e)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(twoTensors, 20))
	f.Add(file(`{"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{}`, 0))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var tensors []Tensor
		var err error
		testdata.CheckAllocation(t, len(raw), 64<<10, 64, func() { tensors, err = read(raw) })
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("untyped error %v", err)
		}
		for _, x := range tensors {
			if x.Offset < 8 || x.Size <= 0 || x.Offset+x.Size > int64(len(raw)) {
				t.Fatalf("%+v outside %d bytes", x, len(raw))
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"one.safetensors"}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := parseIndex(raw, "index"); err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("untyped error %v", err)
		}
	})
}

func ExampleRead() {
	raw := file(`{"norm":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	tensors, _, err := Read(bytes.NewReader(raw), int64(len(raw)), "model.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tensors[0].Name, tensors[0].Type, tensors[0].Shape, tensors[0].Size)
	// Output: norm f32 [2] 8
}
