package weights

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// A type can be given to single matrices: their values are then within its rounding, and the others have the type of all.
func TestTypesOfSingleMatrices(t *testing.T) {
	values := make([]float32, 32*32)
	for i := range values {
		values[i] = float32(math.Sin(float64(i)))
	}
	made := func(d tensor.DType, rows int) Tensor {
		data := make([]byte, d.RowBytes(rows*32))
		if err := tensor.Encode(data, values[:rows*32], d); err != nil {
			t.Fatal(err)
		}
		return Tensor{Type: d, Rows: rows, Cols: 32, Data: bytes.NewReader(data)}
	}
	m := Contents{
		Config: []byte(`{"model_type": "mine"}`),
		Tensors: map[string]Tensor{
			"embedding": made(tensor.F32, 32), "layer.0.router": made(tensor.F32, 16), "layer.0.expert": made(tensor.F32, 32),
			"layer.1.router": made(tensor.F32, 16), "layer.1.expert": made(tensor.Q4_0, 32), "final_norm": made(tensor.F32, 1),
		},
		Steps: [][]string{{"embedding"}, {"layer.0.router", "layer.0.expert"}, {"layer.1.router", "layer.1.expert"}, {"final_norm"}},
	}
	router := TensorType{"layer.*.router", tensor.F16}
	for name, test := range map[string]struct {
		opts WriteOptions
		want [5]tensor.DType // of embedding, routers and experts
	}{
		"none":             {WriteOptions{Type: tensor.Q4_0}, [5]tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q4_0, tensor.Q4_0, tensor.Q4_0}},
		"beside q4":        {WriteOptions{Type: tensor.Q4_0, Types: []TensorType{router}}, [5]tensor.DType{tensor.Q8_0, tensor.F16, tensor.Q4_0, tensor.F16, tensor.Q4_0}},
		"blocks too large": {WriteOptions{Type: tensor.Q3_K}, [5]tensor.DType{tensor.Q8_0, tensor.IQ4_NL, tensor.IQ4_NL, tensor.IQ4_NL, tensor.IQ4_NL}},
		"beside what there is": {WriteOptions{Types: []TensorType{router}},
			[5]tensor.DType{tensor.Q8_0, tensor.F16, tensor.Q8_0, tensor.F16, tensor.Q4_0}},
		"the last decides": {WriteOptions{Type: tensor.F16, Types: []TensorType{{"layer.*", tensor.Q4_0}, router, {"layer.1.router", tensor.Q8_0}, {"embedding", tensor.Q4_0}}},
			[5]tensor.DType{tensor.Q4_0, tensor.F16, tensor.Q4_0, tensor.Q8_0, tensor.Q4_0}},
	} {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "x.lever")
			if err := Write(t.Context(), m, dst, test.opts); err != nil {
				t.Fatal(err)
			}
			r := resident(t, dst)
			for i, name := range []string{"embedding", "layer.0.router", "layer.0.expert", "layer.1.router", "layer.1.expert"} {
				part := r.tensors[name].parts[0]
				if part.Type != test.want[i] {
					t.Errorf("%s is %v, want %v", name, part.Type, test.want[i])
					continue
				}
				rows, got := make([]byte, part.Type.RowBytes(part.Rows*part.Cols)), make([]float32, part.Rows*part.Cols)
				if err := errors.Join(tensor.Unpack(rows, part.Data, part.Type, part.Rows, part.Cols), tensor.Decode(got, rows, part.Type)); err != nil {
					t.Fatal(err)
				}
				// The largest error of values up to 1. Q4_0 has 8 steps below zero, but only 7 above.
				limit := map[tensor.DType]float64{tensor.F16: 1.0 / 4096, tensor.Q8_0: 1.0 / 254, tensor.Q4_0: 1.0 / 8, tensor.IQ4_NL: 1.0 / 8}[part.Type]
				if name == "layer.1.expert" {
					limit = max(limit, 1.0/8) // it came as Q4_0
					if part.Type == tensor.IQ4_NL {
						limit = 1.0 / 5
					}
				}
				for j, x := range got {
					if off := math.Abs(float64(x - values[j])); off > limit*1.2 { // scales are rounded too
						t.Fatalf("%s: value %d is %v, want %v within %v", name, j, x, values[j], limit)
					}
				}
			}
		})
	}
}

func TestTypesThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		types []TensorType
		kind  error
		says  string
	}{
		"a type nothing is converted to": {[]TensorType{{"block.0.q", tensor.IQ2_S}}, ErrUnsupported, "block.0.q to type iq2_s"},
		"no type":                        {[]TensorType{{Name: "block.0.q"}}, ErrUnsupported, "block.0.q"},
		"a misspelt name":                {[]TensorType{{"block.0.query", tensor.F16}}, ErrArgument, "block.0.query"},
		"a vector":                       {[]TensorType{{"final_norm", tensor.F16}}, ErrArgument, "final_norm"},
		"a malformed pattern":            {[]TensorType{{"block.[", tensor.F16}}, ErrArgument, "block.["},
		"blocks that are not filled":     {[]TensorType{{"block.0.*", tensor.F16}, {"block.0.down", tensor.Q8_0}}, ErrUnsupported, "block.0.down: rows of 40"},
	} {
		m := madeModel()
		zeros := bytes.NewReader(make([]byte, 2*40*32))
		for _, name := range []string{"gate", "up"} {
			m.Tensors["block.0."+name] = Tensor{Type: tensor.F16, Rows: 40, Cols: 32, Data: zeros}
		}
		m.Tensors["block.0.down"] = Tensor{Type: tensor.F16, Rows: 32, Cols: 40, Data: zeros}
		dst := filepath.Join(t.TempDir(), "x.lever")
		if err := Write(t.Context(), m, dst, WriteOptions{Types: test.types}); !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
		onlyEntries(t, filepath.Dir(dst))
	}
}
