package weights

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
)

func TestMixes(t *testing.T) {
	for _, name := range []string{"q4_k_m", "Q4_K_M"} {
		mix, ok := FindMix(name)
		if !ok || mix.check() != nil {
			t.Fatal(name, ok, mix.check())
		}
		more := ""
		for i := range 16 {
			if mix.TypeOf(fmt.Sprintf("block.%d.down", i), 16) == tensor.Q6_K {
				more += fmt.Sprint(i, " ")
			}
		}
		if more != "0 1 4 7 10 13 14 15 " { // an eighth at both ends, and every third
			t.Errorf("%s: more bits for block.N.down of %s", name, more)
		}
		for matrix, want := range map[string]tensor.DType{
			"embedding": tensor.Q6_K, "head": tensor.Q6_K, "block.2.q": tensor.Q4_K, "block.2.v": tensor.Q4_K, "block.0.v": tensor.Q6_K, "block.0.expert.3.down": tensor.Q6_K,
		} {
			if got := mix.TypeOf(matrix, 16); got != want {
				t.Errorf("%s: %s is %v, want %v", name, matrix, got, want)
			}
		}
	}
	for _, mix := range Mixes() {
		if err := mix.check(); err != nil {
			t.Error(err)
		}
	}
	if _, ok := FindMix("q9"); ok {
		t.Error("there is a mix q9")
	}
	for _, opts := range []WriteOptions{
		{Type: tensor.Q4_0, Mix: &Mix{Type: tensor.Q4_0}}, {Mix: &Mix{}}, {Mix: &Mix{Type: tensor.Q4_0, Rules: []MixRule{{Name: "[", Type: tensor.Q4_0}}}},
		{Mix: &Mix{Type: tensor.Q4_0, Rules: []MixRule{{Name: "x", Type: tensor.IQ2_S}}}},
	} {
		if err := Write(t.Context(), madeModel(), filepath.Join(t.TempDir(), "x.lever"), opts); !errors.Is(err, ErrArgument) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}

// Columns of importance are kept more exactly, and a mix decides the types.
func TestWriteWithImportance(t *testing.T) {
	m := madeModel()
	rng := rand.New(rand.NewPCG(1, 2))
	const rows, cols = 64, 256
	values, raw := make([]float32, rows*cols), make([]byte, 4*rows*cols)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	if err := tensor.Encode(raw, values, tensor.F32); err != nil {
		t.Fatal(err)
	}
	m.Tensors["block.0.down"] = Tensor{Type: tensor.F32, Rows: rows, Cols: cols, Data: bytes.NewReader(raw)}
	important := make([]float32, cols)
	for c := range important {
		important[c] = 0.01
		if c%8 == 0 {
			important[c] = 1
		}
	}
	lost := func(of map[string]*tensor.Moments) (sum float64) {
		dst := filepath.Join(t.TempDir(), "x.lever")
		if err := Write(t.Context(), m, dst, WriteOptions{Mix: &Mix{Type: tensor.Q3_K}, Importance: of}); err != nil {
			t.Fatal(err)
		}
		part := resident(t, dst).tensors["block.0.down"].parts[0]
		if part.Type != tensor.Q3_K {
			t.Fatal(part.Type)
		}
		plain, got := make([]byte, part.Type.RowBytes(len(values))), make([]float32, len(values))
		if err := errors.Join(tensor.Unpack(plain, part.Data, part.Type, rows, cols), tensor.Decode(got, plain, part.Type)); err != nil {
			t.Fatal(err)
		}
		for i, x := range values {
			sum += float64(important[i%cols]) * math.Pow(float64(x-got[i]), 2)
		}
		return sum
	}
	with, without := lost(map[string]*tensor.Moments{"block.0.down": {Width: 1, Values: important}}), lost(nil)
	if with > 0.8*without {
		t.Errorf("lost %v with importance, %v without", with, without)
	}
	for name, of := range map[string]map[string]*tensor.Moments{
		"another model": {"block.0.query": {Width: 1, Values: important}}, "other columns": {"block.0.q": {Width: 1, Values: important}},
		"of no width": {"block.0.down": {Values: important}},
	} {
		err := Write(t.Context(), m, filepath.Join(t.TempDir(), "x.lever"), WriteOptions{Importance: of})
		if !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), "another model") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
