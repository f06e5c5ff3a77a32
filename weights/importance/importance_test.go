package importance_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/importance"
)

func cols(m *tensor.Moments) int {
	if m == nil {
		return 0
	}
	n, _ := m.Cols()
	return n
}

func draft(t testing.TB) *weights.Store {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store, err := weights.Open(t.Context(), pair.Draft, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Every matrix is measured, by the rows that it is multiplied with.
func TestMeasure(t *testing.T) {
	store := draft(t)
	sequences := [][]int32{{4088, 10, 20, 30, 40, 50, 60, 70}, {4088, 5, 6}, {}}
	done := 0
	got, err := importance.Measure(t.Context(), store, sequences, importance.Options{Progress: func(n, total int) {
		if done = n; total != 11 {
			t.Errorf("%d tokens in all", total)
		}
	}})
	if err != nil || done != 11 {
		t.Fatal(err, done)
	}
	m, err := arch.Parse(store.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range m.Steps[1:] {
		for _, x := range step {
			name := x.Name
			if name == arch.Head { // the embedding serves as the head
				name = arch.Embedding
			}
			if !x.Vector && cols(got[name]) != x.Cols {
				t.Errorf("%s: %d columns, want %d", name, cols(got[name]), x.Cols)
			}
		}
	}
	if got["block.0.q"] != got["block.0.v"] || got["block.0.gate"] != got["block.0.up"] || got["block.0.q"] == got["block.0.o"] || got["block.0.q"] == got["block.1.q"] {
		t.Error("q and v multiply the same rows, and the others do not")
	}
	want := squares(t, m, store, sequences)
	for c := range m.Width {
		moments, first := got["block.0.q"].Column(c)
		for i, x := range moments {
			if want := want[c][first+i]; math.Abs(float64(x)-want) > 1e-4*(math.Abs(want)+1e-3) {
				t.Fatalf("columns %d and %d of block.0.q: %v, want %v", c, first+i, x, want)
			}
		}
	}
	narrow, err := importance.Measure(t.Context(), store, sequences, importance.Options{Moments: 1 << 18})
	bytes, counted := 0, map[*tensor.Moments]bool{}
	for _, moments := range narrow {
		if !counted[moments] {
			counted[moments], bytes = true, bytes+4*len(moments.Values)
		}
	}
	if width := narrow["block.0.q"].Width; err != nil || bytes > 1<<18 || width < 2 || width >= m.Width {
		t.Errorf("%d bytes in pieces of %d columns: %v", bytes, width, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := importance.Measure(cancelled, store, sequences, importance.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// squares are the second moments of the normalised embeddings of sequences, which are what the first block multiplies q with.
func squares(t *testing.T, m *arch.Model, store *weights.Store, sequences [][]int32) [][]float64 {
	t.Helper()
	resident, err := store.Resident(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resident.Close()
	gain := read(t, resident, "block.0.attn_norm")
	embedding, width := read(t, resident, arch.Embedding), m.Width
	sums, n, normed := make([][]float64, width), 0.0, make([]float64, width)
	for a := range sums {
		sums[a] = make([]float64, width)
	}
	for _, sequence := range sequences {
		for _, id := range sequence {
			row, mean := embedding[int(id)*width:][:width], 0.0
			for _, x := range row {
				mean += float64(x) * float64(x) / float64(width)
			}
			for i, x := range row {
				normed[i] = float64(x) / math.Sqrt(mean+1e-5) * float64(gain[i])
			}
			for a, x := range normed {
				for b, y := range normed {
					sums[a][b] += x * y
				}
			}
			n++
		}
	}
	for a := range sums {
		for b := range sums {
			sums[a][b] /= n
		}
	}
	return sums
}

func read(t *testing.T, w layers.Weights, name string) (values []float32) {
	t.Helper()
	for part, err := range w.Parts(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		raw, some := make([]byte, part.Type.RowBytes(part.Rows*part.Cols)), make([]float32, part.Rows*part.Cols)
		if err := errors.Join(tensor.Unpack(raw, part.Data, part.Type, part.Rows, part.Cols), tensor.Decode(some, raw, part.Type)); err != nil {
			t.Fatal(err)
		}
		values = append(values, some...)
	}
	return values
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.imatrix")
	q, head := &tensor.Moments{Width: 2, Values: []float32{1, -2, 3, 4}}, &tensor.Moments{Width: 2, Values: []float32{0, 0.5, 1}}
	want := importance.Of{"block.0.q": q, "block.0.v": q, "head": head}
	if err := importance.Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := importance.Load(t.Context(), path)
	if err != nil || !reflect.DeepEqual(got, want) || got["block.0.q"] != got["block.0.v"] {
		t.Errorf("got %v, %v", got, err)
	}
	good := map[string]string{"format": "lever-importance", "version": "2", "width": "1"}
	with := func(key, value string) map[string]string {
		m := maps.Clone(good)
		m[key] = value
		return m
	}
	vector := func(values ...float32) map[string]*tensor.Tensor {
		return map[string]*tensor.Tensor{"x": tensor.Must(tensor.FromFloat32s(values, len(values)))}
	}
	for name, c := range map[string]struct {
		tensors  map[string]*tensor.Tensor
		metadata map[string]string
	}{
		"another format":  {vector(1), map[string]string{"format": "pt"}},
		"another version": {vector(1), with("version", "1")},
		"no width":        {vector(1), with("width", "0")},
		"width too large": {vector(1), with("width", "1000000")},
		"half a piece":    {vector(1, 2), with("width", "3")},
		"same as none":    {vector(1), with("same.y", "z")},
		"same as another": {vector(1), with("same.x", "x")},
		"negative":        {vector(1, -1), good},
		"no number":       {vector(float32(math.NaN())), good},
		"infinite":        {vector(float32(math.Inf(1))), good},
		"a matrix":        {map[string]*tensor.Tensor{"x": tensor.Must(tensor.FromFloat32s([]float32{1, 2}, 1, 2))}, good},
		"integers":        {map[string]*tensor.Tensor{"x": tensor.Must(tensor.FromInt64s([]int64{1, 2}, 2))}, good},
	} {
		if err := tensorfile.WriteSafetensors(path, c.tensors, c.metadata); err != nil {
			t.Fatal(err)
		}
		if _, err := importance.Load(t.Context(), path); !errors.Is(err, importance.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := importance.Load(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzLoad(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x.imatrix")
	if err := importance.Save(path, importance.Of{"block.0.q": {Width: 2, Values: []float32{1, 2, 3}}, "head": {Width: 2, Values: []float32{0.5}}}); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-4])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "x.imatrix")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _ := importance.Load(t.Context(), path)
		for name, moments := range got {
			if err := moments.Check(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}
