package tensorfile_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
)

func write(t *testing.T, path string, tensors map[string]*tensor.Tensor, metadata map[string]string) {
	t.Helper()
	if err := tensorfile.WriteSafetensors(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *tensorfile.File {
	t.Helper()
	f, err := tensorfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestSafetensorsLayout: a file is the one that the format's description asks for, byte by byte, with the tensors of the largest elements first.
func TestSafetensorsLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	matrix := tensor.Must(tensor.FromFloat32s([]float32{1, 3, 2, 4}, 2, 2))
	write(t, path, map[string]*tensor.Tensor{
		"a": tensor.Must(tensor.FromBools([]bool{true, false, true})), "b": tensor.Must(matrix.Transpose()), "c": tensor.Must(tensor.Full(tensor.F32, 1)),
	}, map[string]string{"format": "pt"})
	header := `{"__metadata__":{"format":"pt"},"a":{"dtype":"BOOL","shape":[3],"data_offsets":[20,23]},` +
		`"b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"c":{"dtype":"F32","shape":[],"data_offsets":[16,20]}}`
	for len(header)%8 != 0 {
		header += " "
	}
	want := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	want = append(want, header...)
	for _, x := range []uint32{0x3f800000, 0x40000000, 0x40400000, 0x40800000, 0x3f800000} {
		want = binary.LittleEndian.AppendUint32(want, x)
	}
	want = append(want, 1, 0, 1)
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestSafetensorsRoundTrip writes tensors of all types and reads them back, whole and by rows.
func TestSafetensorsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	tensors := map[string]*tensor.Tensor{}
	for _, d := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.F64, tensor.I8, tensor.I32, tensor.I64, tensor.U8, tensor.Bool} {
		for n, shape := range map[float64][]int{1: {}, 5: {5}, 6: {3, 1, 2}, 8: {4, 2}} {
			values := tensor.Must(tensor.Arange(tensor.F32, 0, n, 1))
			tensors[fmt.Sprint(d, n)] = tensor.Must(tensor.Must(values.Reshape(shape...)).To(d))
		}
	}
	write(t, path, tensors, map[string]string{"k": "v"})
	f := open(t, path)
	if got := f.Names(); !slices.Equal(got, slices.Sorted(maps.Keys(tensors))) || f.Metadata()["k"] != "v" {
		t.Fatalf("got %v, %v", got, f.Metadata())
	}
	for name, want := range tensors {
		got, err := f.Read(t.Context(), name)
		info, ok := f.Info(name)
		if err != nil || !tensor.Equal(got, want) || !ok || info.Type != want.DType() || !slices.Equal(info.Shape, want.Shape()) || info.Section.Size() != sizeOf(info) {
			t.Errorf("%s: got %v, %v, want %v (%+v)", name, got, err, want, info)
		}
		if want.Rank() == 0 {
			continue
		}
		last := want.Shape()[0] - 1
		part, err := f.ReadRows(t.Context(), name, last, last+1)
		if err != nil || !tensor.Equal(part, tensor.Must(want.Slice(0, last, last+1))) {
			t.Errorf("%s: the last row of %v is %v, %v", name, want, part, err)
		}
	}
}

func sizeOf(info tensorfile.Info) int64 {
	n := int64(info.Type.BlockBytes())
	for _, dim := range info.Shape {
		n *= int64(dim)
	}
	return n
}

// TestShardedSafetensors opens a folder whose index names two files.
func TestShardedSafetensors(t *testing.T) {
	dir := t.TempDir()
	one := tensor.Must(tensor.Ones(tensor.F16, 2, 3))
	write(t, filepath.Join(dir, "1.safetensors"), map[string]*tensor.Tensor{"a": one}, nil)
	write(t, filepath.Join(dir, "2.safetensors"), map[string]*tensor.Tensor{"b": one}, nil)
	index := filepath.Join(dir, "model.safetensors.index.json")
	if err := os.WriteFile(index, []byte(`{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	got, err := f.Read(t.Context(), "b")
	info, _ := f.Info("b")
	if err != nil || !tensor.Equal(got, one) || len(f.Names()) != 2 || filepath.Base(info.Path) != "2.safetensors" {
		t.Errorf("got %v, %v of %v", got, err, info)
	}
}

// writeGGUF writes a file with matrices of 127/128 in Q8_0 blocks; beside one called w, a vector whose first block is zeros.
func writeGGUF(t *testing.T, path string, metadata map[string]any, names ...string) {
	t.Helper()
	block := append([]byte{0x00, 0x20}, bytes.Repeat([]byte{128 - 1}, 32)...) // 2⁻⁷·127
	var tensors []gguf.Tensor
	for _, name := range names {
		tensors = append(tensors, gguf.Tensor{Name: name, Shape: []int{32, 2, 4}, Type: tensor.Q8_0, Data: bytes.Repeat(block, 8)})
	}
	if len(names) == 1 && names[0] == "w" {
		row := slices.Concat(bytes.Repeat([]byte{0}, len(block)), block)
		tensors = append(tensors, gguf.Tensor{Name: "row", Shape: []int{64}, Type: tensor.Q8_0, Data: row})
	}
	var content bytes.Buffer
	if err := gguf.Write(&content, gguf.Content{Metadata: metadata, Tensors: tensors}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestGGUF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	writeGGUF(t, path, map[string]any{"general.name": "toy"}, "w")
	f := open(t, path)
	info, ok := f.Info("w")
	if !ok || info.Type != tensor.Q8_0 || !slices.Equal(info.Shape, []int{4, 2, 32}) || f.Metadata()["general.name"] != "toy" {
		t.Errorf("got %+v, %v, %v", info, ok, f.Metadata())
	}
	got, err := f.ReadRows(t.Context(), "w", 1, 3)
	if err != nil || got.DType() != tensor.Q8_0 || !slices.Equal(got.Shape(), []int{2, 2, 32}) {
		t.Fatalf("got %v, %v", got, err)
	}
	if x, err := got.At(1, 1, 31); err != nil || x != 127.0/128 {
		t.Errorf("got %v, %v", x, err)
	}
	half, err := f.ReadRows(t.Context(), "row", 32, 64)
	if err != nil || !slices.Equal(half.Shape(), []int{32}) {
		t.Fatalf("got %v, %v", half, err)
	}
	if x, err := half.At(0); err != nil || x != 127.0/128 {
		t.Errorf("got %v, %v", x, err)
	}
	if _, err := f.ReadRows(t.Context(), "row", 1, 33); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("half a block: %v", err)
	}
}

// TestSplitGGUF: either of two files opens both, unless one is missing or of another model.
func TestSplitGGUF(t *testing.T) {
	dir := t.TempDir()
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("x-%05d-of-00002.gguf", i)) }
	writeGGUF(t, name(1), map[string]any{"split.tensors.count": int32(2), "general.name": "toy"}, "a")
	if _, err := tensorfile.Open(name(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file is missing: %v", err)
	}
	writeGGUF(t, name(2), map[string]any{"split.tensors.count": int32(2)}, "b")
	for i := range 2 {
		if got := open(t, name(1+i)).Names(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("by file %d: got %v", 1+i, got)
		}
	}
	writeGGUF(t, name(2), nil, "a")
	if _, err := tensorfile.Open(name(1)); !errors.Is(err, tensorfile.ErrCorrupt) {
		t.Errorf("a tensor twice: %v", err)
	}
	writeGGUF(t, name(2), nil, "b", "c")
	if _, err := tensorfile.Open(name(1)); !errors.Is(err, tensorfile.ErrCorrupt) {
		t.Errorf("a tensor too many: %v", err)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.safetensors")
	write(t, path, map[string]*tensor.Tensor{"w": tensor.Must(tensor.Ones(tensor.F32, 4, 2))}, nil)
	f := open(t, path)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	second := func(_ any, err error) error { return err }
	q := tensor.Must(tensor.New(tensor.Q8_0, 1, 32))
	for i, test := range []struct{ err, want error }{
		{second(tensorfile.Open(filepath.Join(dir, "none"))), fs.ErrNotExist},
		{second(tensorfile.Open(dir)), fs.ErrNotExist},
		{second(f.Read(t.Context(), "none")), tensorfile.ErrNoTensor},
		{second(f.ReadRows(t.Context(), "none", 0, 1)), tensorfile.ErrNoTensor},
		{second(f.ReadRows(t.Context(), "w", 0, 5)), tensor.ErrShape},
		{second(f.ReadRows(t.Context(), "w", 2, 1)), tensor.ErrShape},
		{second(f.Read(cancelled, "w")), context.Canceled},
		{tensorfile.WriteSafetensors(path, map[string]*tensor.Tensor{"q": q}, nil), tensor.ErrType},
		{tensorfile.WriteSafetensors(path, map[string]*tensor.Tensor{"n": nil}, nil), tensor.ErrType},
		{tensorfile.WriteSafetensors(path, map[string]*tensor.Tensor{"e": tensor.Must(tensor.New(tensor.F32, 0))}, nil), tensor.ErrShape},
		{tensorfile.WriteSafetensors(filepath.Join(dir, "none", "x"), nil, nil), fs.ErrNotExist},
	} {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%d: got %v, want %v", i, test.err, test.want)
		}
	}
	if _, ok := f.Info("none"); ok {
		t.Error("there is a tensor called none")
	}
	if again := open(t, path); !slices.Equal(again.Names(), []string{"w"}) {
		t.Errorf("a failed write changed the file: %v", again.Names())
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(t.Context(), "w"); !errors.Is(err, tensorfile.ErrTruncated) {
		t.Errorf("of a file that became shorter: %v", err)
	}
	if _, err := tensorfile.Open(path); !errors.Is(err, tensorfile.ErrTruncated) {
		t.Errorf("got %v", err)
	}
}
