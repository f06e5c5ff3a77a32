package convert

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// fp8 are matrices of 8-bit numbers, floating-point or, of compressed-tensors, integers, and their scales: one for a matrix, for each row, or for
// each block of rows and columns.
type fp8 struct {
	types      []tensor.DType
	scaleNames []string // without the name of the matrix
	block      []int    // rows and columns of a block; if it is nil, there is a scale for each row or for all
}

// scaleTypes are the types of scales.
var scaleTypes = []tensor.DType{tensor.F32, tensor.BF16, tensor.F16}

// parseFP8 reads the settings of DeepSeek's and transformers' fp8.
func parseFP8(q *settings) method {
	m := &fp8{types: []tensor.DType{tensor.F8_E4M3}, scaleNames: []string{"_scale_inv", "_scale"}}
	within(q, "fmt", "e4m3", "float8_e4m3fn")
	within(q, "activation_scheme", "dynamic", "static") // activations are not rounded here
	within(q, "scale_fmt", "float", "ue8m0")            // how scales were chosen
	m.block, _ = value[[]int](q, "weight_block_size", nil)
	if m.block != nil && !validBlock(m.block) {
		q.refuse("weight_block_size")
	}
	q.ignore("modules_to_not_convert", "ignored_layers", "kv_cache_scheme") // what is not quantised has no scales
	return m
}

func validBlock(block []int) bool { return len(block) == 2 && block[0] > 0 && block[1] > 0 }

// activationScales are parts of names of scales by which other programs round activations, keys and values.
var activationScales = []string{".input_scale", ".activation_scale", ".k_scale", ".v_scale", ".q_scale"}

func (m *fp8) restore(found map[string]sourceTensor) ([]string, error) {
	for _, suffix := range activationScales {
		for _, base := range basesOf(found, suffix) {
			delete(found, base+suffix)
		}
	}
	n := 0
	for _, part := range m.scaleNames {
		for _, base := range basesOf(found, ".weight"+part) {
			name := base + ".weight"
			t, ok := found[name]
			if !ok {
				return nil, badSource(weights.ErrCorrupt, found[name+part].file, name, "is missing beside its scale")
			}
			scale, _ := take(found, name, part)
			if err := m.checkScale(t, scale); err != nil {
				return nil, err
			}
			found[name] = m.scaled(t, scale)
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []string{"its 8-bit weights are multiplied with their scales, and then stored like weights of any other model; activations are not rounded to 8 bits"}, nil
}

// checkScale refuses a matrix of another type, and scales that do not fit it.
func (m *fp8) checkScale(t, scale sourceTensor) error {
	if !slices.Contains(m.types, t.dtype) {
		return badSource(weights.ErrUnsupported, t.file, t.name, "type %v with a scale", t.dtype)
	}
	if !slices.Contains(scaleTypes, scale.dtype) {
		return badSource(weights.ErrUnsupported, scale.file, scale.name, "type %v of a scale", scale.dtype)
	}
	n := scale.rows * scale.cols
	ok := n == 1 || n == t.rows && (scale.rows == 1 || scale.cols == 1)
	if m.block != nil {
		ok = scale.rows == (t.rows+m.block[0]-1)/m.block[0] && scale.cols == (t.cols+m.block[1]-1)/m.block[1]
	}
	if !ok {
		return badSource(weights.ErrCorrupt, scale.file, scale.name, "has %d rows of %d, which do not fit a matrix of %d rows of %d", scale.rows, scale.cols, t.rows, t.cols)
	}
	return nil
}

// scaled returns the products of a matrix and its scales, as F32.
func (m *fp8) scaled(t, scale sourceTensor) sourceTensor {
	out := t
	out.dtype, out.offset = tensor.F32, 0
	out.data = madeRows{tensor.F32.RowBytes(t.cols), func(dst []byte, row int) error {
		raw, values := make([]byte, t.dtype.RowBytes(t.cols)), make([]float32, t.cols)
		scales, perColumns, err := m.scalesOf(t, scale, row)
		if err = errors.Join(err, t.read(raw, row)); err != nil {
			return err
		}
		if err := tensor.Decode(values, raw, t.dtype); err != nil {
			return badSource(err, t.file, t.name, "its values")
		}
		for i, v := range values {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v*scales[i/perColumns]))
		}
		return nil
	}}
	return out
}

// scalesOf returns the scales of a row, each of which is for perColumns elements.
func (m *fp8) scalesOf(t, scale sourceTensor, row int) (scales []float32, perColumns int, err error) {
	at, n, perColumns := 0, 1, t.cols // in elements of the tensor of scales
	switch {
	case m.block != nil:
		n, perColumns = scale.cols, m.block[1]
		at = row / m.block[0] * n
	case scale.rows*scale.cols > 1:
		at = row
	}
	flat := scale // as a column, to read from any element on
	flat.rows, flat.cols = scale.rows*scale.cols, 1
	raw, scales := make([]byte, flat.dtype.RowBytes(n)), make([]float32, n)
	if err := flat.read(raw, at); err != nil {
		return nil, 0, err
	}
	if err := tensor.Decode(scales, raw, flat.dtype); err != nil {
		return nil, 0, badSource(err, scale.file, scale.name, "its values")
	}
	return scales, perColumns, nil
}
