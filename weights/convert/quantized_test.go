package convert

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// quantizedMatrix is what a test puts in place of a matrix, whose values become scale·(q−zero)+bias.
type quantizedMatrix struct {
	rows, cols, group int
	q                 []uint32  // [rows][cols]
	scales, biases    []float32 // [rows][groups]
	zeros             []uint32  // [rows][groups]
}

// pack puts integers into 32-bit words, each as many as fit, order of them within a word.
func pack(q []uint32, bits int, order []int) (raw []byte) {
	perWord := 32 / bits
	for at := 0; at < len(q); at += perWord {
		word := uint32(0)
		for i := range perWord {
			from := i
			if order != nil {
				from = order[i]
			}
			word |= q[at+from] << (i * bits)
		}
		raw = binary.LittleEndian.AppendUint32(raw, word)
	}
	return raw
}

// transposed returns a matrix [rows][cols] as [cols][rows].
func transposed[T any](x []T, rows, cols int) []T {
	out := make([]T, len(x))
	for r := range rows {
		for c := range cols {
			out[c*rows+r] = x[r*cols+c]
		}
	}
	return out
}

func f16s(x []float32) []byte {
	raw := make([]byte, 2*len(x))
	if err := tensor.Encode(raw, x, tensor.F16); err != nil {
		panic(err)
	}
	return raw
}

// random fills a matrix and returns its values. Scales and biases have few digits, so that F16 holds the values.
func random(rng *rand.Rand, rows, cols, group, bits int, symmetric, biased bool) (m quantizedMatrix, values []float32) {
	m = quantizedMatrix{rows: rows, cols: cols, group: group}
	groups := cols / group
	for range rows * groups {
		m.scales = append(m.scales, float32(1+rng.IntN(3))/64)
		zero := uint32(1) << (bits - 1)
		if !symmetric {
			zero = 1 + uint32(rng.IntN(1<<bits-1)) // v1 of GPTQ has no 0
		}
		m.zeros = append(m.zeros, zero)
		m.biases = append(m.biases, float32(rng.IntN(8)-4)/8)
	}
	for i := range rows * cols {
		q := rng.Uint32N(1 << bits)
		g := i/cols*groups + i%cols/group
		m.q = append(m.q, q)
		v := m.scales[g] * float32(int(q)-int(m.zeros[g]))
		if biased {
			v = m.scales[g]*float32(q) + m.biases[g]
		}
		values = append(values, v)
	}
	return m, values
}

// packings are how methods keep a matrix called base, in the tensors of a folder.
var packings = map[string]struct {
	config            map[string]any
	bits              int
	symmetric, biased bool
	exact             tensor.DType // in which the store holds it; Invalid if it has no block form
	write             func(ts map[string]hfTensor, base string, m quantizedMatrix)
}{
	"gptq": {
		map[string]any{"quantization_config": map[string]any{"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": false, "sym": true, "damp_percent": 0.01}},
		4, true, false, tensor.Q4_0, writeGPTQ(4, 1),
	},
	"gptq v2 8 bits": {
		map[string]any{"quantization_config": map[string]any{"quant_method": "gptq", "bits": 8, "group_size": 32, "checkpoint_format": "gptq_v2"}},
		8, true, false, tensor.Q8_0, writeGPTQ(8, 0),
	},
	"gptq asymmetric": {
		map[string]any{"quantization_config": map[string]any{"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": false}},
		4, false, false, tensor.Invalid, writeGPTQ(4, 1),
	},
	"awq": {
		map[string]any{"quantization_config": map[string]any{"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": true}},
		4, false, false, tensor.Invalid,
		func(ts map[string]hfTensor, base string, m quantizedMatrix) {
			order := []int{0, 2, 4, 6, 1, 3, 5, 7}
			groups := m.cols / m.group
			ts[base+"qweight"] = hfTensor{DType: "I32", Shape: []int{m.cols, m.rows / 8}, data: pack(transposed(m.q, m.rows, m.cols), 4, order)}
			ts[base+"qzeros"] = hfTensor{DType: "I32", Shape: []int{groups, m.rows / 8}, data: pack(transposed(m.zeros, m.rows, groups), 4, order)}
			ts[base+"scales"] = hfTensor{DType: "F16", Shape: []int{groups, m.rows}, data: f16s(transposed(m.scales, m.rows, groups))}
		},
	},
	"mlx": {
		map[string]any{"quantization": map[string]any{"group_size": 32, "bits": 4}, "quantization_config": map[string]any{"group_size": 32, "bits": 4}},
		4, false, true, tensor.Invalid,
		func(ts map[string]hfTensor, base string, m quantizedMatrix) {
			groups := m.cols / m.group
			ts[base+"weight"] = hfTensor{DType: "U32", Shape: []int{m.rows, m.cols / 8}, data: pack(m.q, 4, nil)}
			ts[base+"scales"] = hfTensor{DType: "F16", Shape: []int{m.rows, groups}, data: f16s(m.scales)}
			ts[base+"biases"] = hfTensor{DType: "F16", Shape: []int{m.rows, groups}, data: f16s(m.biases)}
		},
	},
	"compressed-tensors": {
		map[string]any{"quantization_config": map[string]any{"quant_method": "compressed-tensors", "format": "pack-quantized", "quantization_status": "compressed",
			"ignore": []string{"lm_head"}, "config_groups": map[string]any{"group_0": map[string]any{"targets": []string{"Linear"}, "input_activations": nil,
				"weights": map[string]any{"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": true, "dynamic": false, "observer": "minmax"}}}}},
		4, true, false, tensor.Q4_0,
		func(ts map[string]hfTensor, base string, m quantizedMatrix) {
			shape := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(m.rows)), uint64(m.cols))
			ts[base+"weight_packed"] = hfTensor{DType: "I32", Shape: []int{m.rows, m.cols / 8}, data: pack(m.q, 4, nil)}
			ts[base+"weight_scale"] = hfTensor{DType: "F16", Shape: []int{m.rows, m.cols / m.group}, data: f16s(m.scales)}
			ts[base+"weight_shape"] = hfTensor{DType: "I64", Shape: []int{2}, data: shape}
		},
	},
	"compressed-tensors asymmetric": {
		map[string]any{"quantization_config": map[string]any{"quant_method": "compressed-tensors", "format": "pack-quantized", "quantization_status": "compressed",
			"ignore": []string{"lm_head"}, "config_groups": map[string]any{"group_0": map[string]any{"targets": []string{"Linear"}, "input_activations": nil,
				"weights": map[string]any{"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": false, "dynamic": false, "observer": "minmax"}}}}},
		4, false, false, tensor.Invalid,
		func(ts map[string]hfTensor, base string, m quantizedMatrix) {
			shape := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(m.rows)), uint64(m.cols))
			ts[base+"weight_packed"] = hfTensor{DType: "I32", Shape: []int{m.rows, m.cols / 8}, data: pack(m.q, 4, nil)}
			ts[base+"weight_scale"] = hfTensor{DType: "F16", Shape: []int{m.rows, m.cols / m.group}, data: f16s(m.scales)}
			groups := m.cols / m.group
			ts[base+"weight_zero_point"] = hfTensor{DType: "I32", Shape: []int{m.rows / 8, groups}, data: transposedWords(pack(transposed(m.zeros, m.rows, groups), 4, nil), groups, m.rows/8)}
			ts[base+"weight_shape"] = hfTensor{DType: "I64", Shape: []int{2}, data: shape}
		},
	},
}

// transposedWords returns a matrix of words [rows][cols] as [cols][rows].
func transposedWords(raw []byte, rows, cols int) (out []byte) {
	words := make([]uint32, len(raw)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	for _, w := range transposed(words, rows, cols) {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return out
}

// writeGPTQ returns a function that keeps a matrix as GPTQ does; less is what is taken from zeros.
func writeGPTQ(bits int, less uint32) func(ts map[string]hfTensor, base string, m quantizedMatrix) {
	return func(ts map[string]hfTensor, base string, m quantizedMatrix) {
		groups, perWord := m.cols/m.group, 32/bits
		// Words go down the columns of the transposed matrix: pack them row by row, and transpose the words.
		data := transposedWords(pack(m.q, bits, nil), m.rows, m.cols/perWord)
		var index []byte
		zeros := slices.Clone(m.zeros)
		for i := range zeros {
			zeros[i] -= less
		}
		for c := range m.cols {
			index = binary.LittleEndian.AppendUint32(index, uint32(c/m.group))
		}
		ts[base+"qweight"] = hfTensor{DType: "I32", Shape: []int{m.cols / perWord, m.rows}, data: data}
		ts[base+"qzeros"] = hfTensor{DType: "I32", Shape: []int{groups, m.rows / perWord}, data: pack(transposed(zeros, m.rows, groups), bits, nil)}
		ts[base+"scales"] = hfTensor{DType: "F16", Shape: []int{groups, m.rows}, data: f16s(transposed(m.scales, m.rows, groups))}
		ts[base+"g_idx"] = hfTensor{DType: "I32", Shape: []int{m.cols}, data: index}
	}
}

// quantizedFolder returns the tensors of a model whose projections a method keeps; its values are what they stand for.
func quantizedFolder(t testing.TB, name string) (*model, map[string]hfTensor) {
	t.Helper()
	p := packings[name]
	m := newModel(small, false)
	for key, value := range p.config {
		m.config[key] = value
	}
	ts := m.hf(t, tensor.F32)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, x := range m.tensors() {
		if x.Vector || x.Name == arch.Embedding || x.Name == arch.Head {
			continue
		}
		matrix, values := random(rng, x.Rows, x.Cols, 32, p.bits, p.symmetric, p.biased)
		m.values[x.Name] = values
		delete(ts, x.HF)
		p.write(ts, strings.TrimSuffix(x.HF, "weight"), matrix)
	}
	return m, ts
}

func TestQuantizedFolders(t *testing.T) {
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			m, ts := quantizedFolder(t, name)
			dir := m.writeHF(t, ts, 2)
			sameValues(t, m, makeStore(t, dir, tensor.F16))
			if config(t, makeStore(t, dir, tensor.F16))["quantization_config"] != nil {
				t.Error("the store's configuration says that it is quantised")
			}
			info, err := Inspect(dir, weights.WriteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := tensor.Q8_0
			if p.exact != tensor.Invalid {
				want = p.exact
				sameValues(t, m, makeStore(t, dir, tensor.Invalid))
			}
			for _, x := range info.Tensors {
				if strings.HasSuffix(x.Name, ".down") && x.Type != want.String() {
					t.Errorf("%s becomes %s, want %v", x.Name, x.Type, want)
				}
			}
			if len(info.Notes) != 1 || !strings.Contains(info.Notes[0], strings.Fields(name)[0]) {
				t.Errorf("notes %q", info.Notes)
			}
		})
	}
}

// sameValues checks that a store holds the values of the projections of m exactly.
func sameValues(t *testing.T, m *model, dir string) {
	t.Helper()
	r := resident(t, dir)
	for _, x := range m.tensors() {
		if x.Name == arch.Embedding || x.Name == arch.Head {
			continue
		}
		raw, d := rowMajor(t, r, x.Name)
		got := make([]float32, x.Rows*x.Cols)
		if err := tensor.Decode(got, raw, d); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, m.values[x.Name]) {
			t.Errorf("%s has other values", x.Name)
		}
	}
}

// Integers whose groups are not runs of columns are found by the index.
func TestActOrder(t *testing.T) {
	m, ts := quantizedFolder(t, "gptq")
	const base = "model.layers.0.mlp.down_proj."
	index := ts[base+"g_idx"]
	var swapped []byte // groups 0 and 1
	for at := 0; at < len(index.data); at += 4 {
		g := binary.LittleEndian.Uint32(index.data[at:])
		if g < 2 {
			g = 1 - g
		}
		swapped = binary.LittleEndian.AppendUint32(swapped, g)
	}
	index.data = swapped
	ts[base+"g_idx"] = index
	down := m.tensors()[slices.IndexFunc(m.tensors(), func(x arch.Tensor) bool { return x.Name == "block.0.down" })]
	scales := transposedF16(t, ts[base+"scales"].data, down.Cols/32, down.Rows)
	values := m.values[down.Name]
	for i := range values {
		row, g := i/down.Cols, i%down.Cols/32
		if g < 2 {
			values[i] = values[i] / scales[row*3+g] * scales[row*3+1-g]
		}
	}
	sameValues(t, m, makeStore(t, m.writeHF(t, ts, 1), tensor.F16))
}

func transposedF16(t *testing.T, raw []byte, rows, cols int) []float32 {
	t.Helper()
	values := make([]float32, rows*cols)
	if err := tensor.Decode(values, raw, tensor.F16); err != nil {
		t.Fatal(err)
	}
	return transposed(values, rows, cols)
}

// fp8Folder returns a model whose projections are E4M3 numbers with scales of the given shape, which perScale describes.
func fp8Folder(t testing.TB, quantization map[string]any, scaleName string, shape func(rows, cols int) []int, scaleOf func(row, col, cols int) int) (*model, map[string]hfTensor) {
	t.Helper()
	m := newModel(small, false)
	m.config["quantization_config"] = quantization
	ts := m.hf(t, tensor.F32)
	rng := rand.New(rand.NewPCG(8, 9))
	for _, x := range m.tensors() {
		if x.Vector || x.Name == arch.Embedding || x.Name == arch.Head {
			continue
		}
		dims := shape(x.Rows, x.Cols)
		n := 1
		for _, d := range dims {
			n *= d
		}
		scales := make([]float32, n)
		raw := make([]byte, 4*n)
		for i := range scales {
			scales[i] = float32(1+rng.IntN(7)) / 4096
			binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(scales[i]))
		}
		data := make([]byte, x.Rows*x.Cols)
		for i := range data {
			data[i] = byte(rng.IntN(2)<<7 | rng.IntN(0x7F))
		}
		values := make([]float32, len(data))
		if err := tensor.Decode(values, data, tensor.F8_E4M3); err != nil {
			t.Fatal(err)
		}
		for i := range values {
			values[i] *= scales[scaleOf(i/x.Cols, i%x.Cols, x.Cols)]
		}
		m.values[x.Name] = values
		ts[x.HF] = hfTensor{DType: "F8_E4M3", Shape: []int{x.Rows, x.Cols}, data: data}
		ts[x.HF+scaleName] = hfTensor{DType: "F32", Shape: dims, data: raw}
		ts[strings.TrimSuffix(x.HF, "weight")+"input_scale"] = hfTensor{DType: "F32", Shape: []int{}, data: make([]byte, 4)}
	}
	return m, ts
}

func TestFP8Folders(t *testing.T) {
	compressed := func(strategy string) map[string]any {
		return map[string]any{"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": map[string]any{"group_0": map[string]any{
			"targets": []string{"Linear"}, "input_activations": map[string]any{"num_bits": 8, "dynamic": true},
			"weights": map[string]any{"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": true, "dynamic": false}}}}
	}
	up := func(n, block int) int { return (n + block - 1) / block }
	for name, c := range map[string]struct {
		config  map[string]any
		scale   string
		shape   func(rows, cols int) []int
		scaleOf func(row, col, cols int) int
	}{
		"blocks": {map[string]any{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": []int{20, 40}}, "_scale_inv",
			func(rows, cols int) []int { return []int{up(rows, 20), up(cols, 40)} }, func(row, col, cols int) int { return row/20*up(cols, 40) + col/40 }},
		"tensor":             {map[string]any{"quant_method": "fp8", "activation_scheme": "static"}, "_scale", func(_, _ int) []int { return []int{} }, func(_, _, _ int) int { return 0 }},
		"compressed tensor":  {compressed("tensor"), "_scale", func(_, _ int) []int { return []int{1} }, func(_, _, _ int) int { return 0 }},
		"compressed channel": {compressed("channel"), "_scale", func(rows, _ int) []int { return []int{rows, 1} }, func(row, _, _ int) int { return row }},
	} {
		t.Run(name, func(t *testing.T) {
			m, ts := fp8Folder(t, c.config, c.scale, c.shape, c.scaleOf)
			sameValues(t, m, makeStore(t, m.writeHF(t, ts, 1), tensor.F16))
		})
	}
}

// A matrix without scales is what it says, also where settings say that others are quantised: no value of it could mean another one.
func TestFP8FoldersWithoutScales(t *testing.T) {
	m := newModel(small, false)
	var left []string
	for i := range 400 {
		left = append(left, fmt.Sprintf("model.layers.%d.mlp", i))
	}
	m.config["quantization_config"] = map[string]any{"quant_method": "fp8", "modules_to_not_convert": left}
	sameValues(t, m, makeStore(t, m.writeHF(t, m.hf(t, tensor.F32), 1), tensor.F16))

	ts := m.hf(t, tensor.BF16)
	ts["model.layers.0.mlp.down_proj.weight_scale_inv"] = hfTensor{DType: "F32", Shape: []int{1}, data: make([]byte, 4)}
	refused(t, m.writeHF(t, ts, 1), weights.ErrUnsupported, "with a scale")
}

// Settings of any kind give an error or a model, and no more memory is taken than the files hold.
func FuzzQuantizationSettings(f *testing.F) {
	names := slices.Sorted(maps.Keys(packings))
	for i, name := range names {
		settings := packings[name].config["quantization_config"]
		text, err := json.Marshal(settings)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, string(text), 0, byte(0))
		f.Add(i, strings.ReplaceAll(string(text), "32", "-1"), 40, byte(255))
		f.Add(i, strings.ReplaceAll(string(text), "4", "1e99"), 0, byte(0))
	}
	f.Fuzz(func(t *testing.T, which int, settings string, at int, flip byte) {
		m, ts := quantizedFolder(t, names[uint(which)%uint(len(names))])
		delete(m.config, "quantization")
		m.config["quantization_config"] = json.RawMessage(settings)
		if !json.Valid([]byte(settings)) {
			return
		}
		for _, x := range ts {
			if at >= 0 && at < len(x.data) && x.DType != "F32" {
				x.data[at] ^= flip
			}
		}
		err := Convert(t.Context(), m.writeHF(t, ts, 1), filepath.Join(t.TempDir(), "x.lever"), weights.WriteOptions{Type: tensor.F16})
		if err != nil && !errors.Is(err, weights.ErrUnsupported) && !errors.Is(err, weights.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

// What is not understood, or does not fit, is an error that says what.
func TestQuantizedFoldersRefused(t *testing.T) {
	const base = "model.layers.0.mlp.down_proj."
	set := func(key string, value any) func(c map[string]any, _ map[string]hfTensor) {
		return func(c map[string]any, _ map[string]hfTensor) {
			c["quantization_config"].(map[string]any)[key] = value
		}
	}
	shape := func(part string, dims ...int) func(_ map[string]any, ts map[string]hfTensor) {
		return func(_ map[string]any, ts map[string]hfTensor) {
			x := ts[base+part]
			x.Shape = dims
			ts[base+part] = x
		}
	}
	for name, c := range map[string]struct {
		method string
		spoil  func(c map[string]any, ts map[string]hfTensor)
		kind   error
		text   string
	}{
		"gptq bits":        {"gptq", set("bits", 3), weights.ErrUnsupported, "quantization_config: bits = 3"},
		"gptq overrides":   {"gptq", set("dynamic", map[string]any{"x": 1}), weights.ErrUnsupported, "dynamic"},
		"gptq format":      {"gptq", set("checkpoint_format", "marlin"), weights.ErrUnsupported, "marlin"},
		"gptq group":       {"gptq", set("group_size", 0), weights.ErrCorrupt, "groups of 0"},
		"gptq group type":  {"gptq", set("group_size", "x"), weights.ErrUnsupported, "group_size"},
		"gptq large group": {"gptq", set("group_size", 1<<40), weights.ErrCorrupt, "groups of"},
		"gptq index":       {"gptq", func(_ map[string]any, ts map[string]hfTensor) { ts[base+"g_idx"].data[3] = 0x7F }, weights.ErrCorrupt, "g_idx"},
		"gptq scales":      {"gptq", shape("scales", 64, 3), weights.ErrCorrupt, "scales"},
		"gptq no zeros":    {"gptq", func(_ map[string]any, ts map[string]hfTensor) { delete(ts, base+"qzeros") }, weights.ErrCorrupt, "qzeros"},
		"gptq type": {"gptq", func(_ map[string]any, ts map[string]hfTensor) {
			x := ts[base+"qweight"]
			x.DType = "F32"
			ts[base+"qweight"] = x
		}, weights.ErrCorrupt, "qweight"},
		"awq version":     {"awq", set("version", "gemv"), weights.ErrUnsupported, `version = "gemv"`},
		"mlx mode":        {"mlx", set("mode", "mxfp4"), weights.ErrUnsupported, "mxfp4"},
		"mlx group":       {"mlx", set("group_size", 7), weights.ErrUnsupported, "group_size = 7"},
		"mlx twice":       {"mlx", set("bits", 8), weights.ErrUnsupported, "differs"},
		"mlx no biases":   {"mlx", func(_ map[string]any, ts map[string]hfTensor) { delete(ts, base+"biases") }, weights.ErrCorrupt, "biases"},
		"packed format":   {"compressed-tensors", set("format", "marlin-24"), weights.ErrUnsupported, "marlin-24"},
		"packed groups":   {"compressed-tensors", set("config_groups", map[string]any{}), weights.ErrUnsupported, "config_groups"},
		"packed sparsity": {"compressed-tensors", set("sparsity_config", map[string]any{"format": "dense"}), weights.ErrUnsupported, "sparsity_config"},
		"packed shape": {"compressed-tensors", func(_ map[string]any, ts map[string]hfTensor) {
			ts[base+"weight_shape"].data[8] = 0xFF
		}, weights.ErrCorrupt, "weight_packed"},
		"unknown method": {"gptq", set("quant_method", "aqlm"), weights.ErrUnsupported, `"aqlm"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, ts := quantizedFolder(t, c.method)
			raw := map[string]any{} // settings are shared by tests
			for key, value := range m.config["quantization_config"].(map[string]any) {
				raw[key] = value
			}
			m.config["quantization_config"] = raw
			c.spoil(m.config, ts)
			refused(t, m.writeHF(t, ts, 1), c.kind, c.text)
		})
	}
	m, ts := fp8Folder(t, map[string]any{"quant_method": "fp8", "weight_block_size": []int{16, 16}}, "_scale_inv", func(_, _ int) []int { return []int{2, 2} }, func(_, _, _ int) int { return 0 })
	refused(t, m.writeHF(t, ts, 1), weights.ErrCorrupt, "weight_scale_inv", "do not fit")
	delete(m.config, "quantization_config")
	refused(t, m.writeHF(t, ts, 1), weights.ErrUnsupported, "f8_e4m3")
}
