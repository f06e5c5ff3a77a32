package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// mxfp4Values are the numbers of four bits (E2M1) by their code, and mxfp4Scale what the experts of a model in tests multiply them with.
var mxfp4Values = [16]float32{0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6}

const mxfp4Scale = 1.0 / 16

// quantizeMXFP4 makes of the experts in F32 what files of gpt-oss have: rows of gate and up by turns, blocks and scales.
func quantizeMXFP4(all map[string]hfTensor) {
	for name, gate := range all {
		base, isGate := strings.CutSuffix(name, "gate_proj")
		if !isGate {
			continue
		}
		up, bias, upBias := all[base+"up_proj"], all[name+"_bias"], all[base+"up_proj_bias"]
		for _, part := range []string{name, base + "up_proj", name + "_bias", base + "up_proj_bias"} {
			delete(all, part)
		}
		experts := bias.Shape[0]
		joined := hfTensor{DType: "F32", Shape: []int{2 * gate.Shape[0], gate.Shape[1]}, data: byTurns(gate.data, up.data, 4*gate.Shape[1])}
		addMXFP4(all, base+"gate_up_proj", joined, experts)
		all[base+"gate_up_proj_bias"] = hfTensor{DType: "F32", Shape: []int{experts, 2 * bias.Shape[1]}, data: byTurns(bias.data, upBias.data, 4)}
		down := all[base+"down_proj"]
		delete(all, base+"down_proj")
		addMXFP4(all, base+"down_proj", down, experts)
	}
}

// byTurns joins pieces of two tensors.
func byTurns(a, b []byte, size int) (joined []byte) {
	for at := 0; at < len(a); at += size {
		joined = append(append(joined, a[at:at+size]...), b[at:at+size]...)
	}
	return joined
}

func addMXFP4(all map[string]hfTensor, name string, t hfTensor, experts int) {
	rows, blocks := t.Shape[0]/experts, t.Shape[1]/32
	pairs := make([]byte, len(t.data)/8)
	for i := range len(t.data) / 4 {
		x := math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*i:]))
		pairs[i/2] |= byte(slices.Index(mxfp4Values[:], x/mxfp4Scale)) << (4 * (i % 2))
	}
	scales := bytes.Repeat([]byte{127 - 4}, experts*rows*blocks)
	all[name+"_blocks"] = hfTensor{DType: "U8", Shape: []int{experts, rows, blocks, 16}, data: pairs}
	all[name+"_scales"] = hfTensor{DType: "U8", Shape: []int{experts, rows, blocks}, data: scales}
}

// The experts of gpt-oss are kept as they are, and their values are those of the files.
func TestMXFP4IsKept(t *testing.T) {
	var r reference
	if err := json.Unmarshal(readFile(t, "testdata/reference/gpt-oss.json"), &r); err != nil {
		t.Fatal(err)
	}
	m := r.model(t)
	store := resident(t, makeStore(t, m.writeHF(t, m.hf(t, tensor.F32), 1), tensor.Invalid))
	for _, x := range m.tensors() {
		if x.Expert == "" || x.Vector {
			continue
		}
		raw, d := rowMajor(t, store, x.Name)
		values := make([]float32, x.Rows*x.Cols)
		if err := tensor.Decode(values, raw, d); err != nil {
			t.Fatal(err)
		}
		if d != tensor.MXFP4 || !slices.Equal(values, m.values[x.Name]) {
			t.Fatalf("%s: %v, with other values", x.Name, d)
		}
	}
	for _, part := range []string{"_blocks", "_scales"} {
		files := m.hf(t, tensor.F32)
		name := "model.layers.1.mlp.experts.down_proj" + part
		x := files[name]
		x.Shape, x.data = []int{x.Shape[0], x.Shape[1] - 1}, x.data[:x.Shape[0]*(x.Shape[1]-1)]
		files[name] = x
		for _, why := range []string{"has too few", "is missing"} {
			err := Convert(t.Context(), m.writeHF(t, files, 1), filepath.Join(t.TempDir(), "model.lever"), weights.WriteOptions{})
			if !errors.Is(err, weights.ErrCorrupt) || !strings.Contains(err.Error(), "down_proj") {
				t.Errorf("%s %s: %v", name, why, err)
			}
			delete(files, name)
		}
	}
}
