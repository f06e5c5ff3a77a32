package convert

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// compressed are matrices of integers as compressed-tensors packs them: in rows, with a scale for each group of columns.
type compressed struct {
	bits, group int // a group of 0 has all columns
	symmetric   bool
	cache       oneMatrix
}

// parseCompressed reads the settings of compressed-tensors, of which one group of matrices, the linear ones, is understood.
func parseCompressed(q *settings) method {
	within(q, "quant_method", "compressed-tensors")
	format := within(q, "format", "", "pack-quantized", "float-quantized", "int-quantized", "naive-quantized")
	within(q, "quantization_status", "compressed")
	q.ignore("ignore", "global_compression_ratio", "version", "kv_cache_scheme") // what is not quantised has no scales
	groups, _ := value(q, "config_groups", map[string]json.RawMessage{})
	if len(groups) != 1 {
		q.refuse("config_groups")
		return nil
	}
	for key := range groups {
		group := &settings{path: q.path, key: q.key + ".config_groups." + key}
		if json.Unmarshal(groups[key], &group.values) != nil {
			q.refuse("config_groups")
			return nil
		}
		m := parseCompressedGroup(group, format)
		if q.err == nil {
			q.err = group.err
		}
		return m
	}
	return nil
}

func parseCompressedGroup(group *settings, format string) method {
	if targets, _ := value(group, "targets", []string(nil)); !slices.Equal(targets, []string{"Linear"}) {
		group.refuse("targets")
	}
	group.ignore("input_activations", "output_activations") // are not rounded here
	within(group, "format", format)
	w := group.inner("weights")
	m := parseCompressedWeights(w, format)
	if w.check(); group.err == nil {
		group.err = w.err
	}
	group.check()
	return m
}

func parseCompressedWeights(w *settings, format string) method {
	bits := within(w, "num_bits", 8, 4)
	kind := within(w, "type", "float", "int")
	strategy := within(w, "strategy", "tensor", "channel", "group", "block")
	group, _ := value(w, "group_size", 0)
	symmetric := within(w, "symmetric", true, false)
	within(w, "dynamic", false)
	within(w, "actorder", "", "static", "weight")
	w.ignore("observer", "observer_kwargs", "scale_dtype", "zp_dtype")
	block, hasBlock := value[[]int](w, "block_structure", nil)
	if format == "pack-quantized" {
		if kind != "int" || strategy != "group" && strategy != "channel" || strategy == "group" && group <= 0 {
			w.refuse("strategy")
		}
		if strategy == "channel" {
			group = 0
		}
		return &compressed{bits: bits, group: group, symmetric: symmetric}
	}
	if !symmetric {
		w.refuse("symmetric")
	}
	d := map[string]tensor.DType{"float": tensor.F8_E4M3, "int": tensor.I8}[kind]
	if bits != 8 {
		w.refuse("num_bits")
	}
	if strategy == "group" || hasBlock != (strategy == "block") || hasBlock && !validBlock(block) {
		w.refuse("strategy")
	}
	return &fp8{types: []tensor.DType{d}, scaleNames: []string{"_scale"}, block: block}
}

func (m *compressed) restore(found map[string]sourceTensor) ([]string, error) {
	return restoreIntegers(found, ".weight_packed", "compressed-tensors", m.bits, m.matrix)
}

// matrix takes the tensors that stand for a matrix from found.
func (m *compressed) matrix(found map[string]sourceTensor, base string) (sourceTensor, error) {
	words, _ := take(found, base, ".weight_packed")
	shape, err := want(found, base, ".weight_shape", 1, 2, tensor.I64, tensor.I32)
	if err != nil {
		return words, err
	}
	raw, err := shape.bytes()
	if err != nil {
		return words, err
	}
	cols := int(binary.LittleEndian.Uint32(raw[len(raw)/2:]))
	group := m.group
	if group == 0 {
		group = cols
	}
	if words.dtype != tensor.I32 || words.cols != (cols*m.bits+31)/32 || group <= 0 || cols%group != 0 {
		return words, badSource(weights.ErrCorrupt, words.file, words.name, "%v [%d %d] holds no %d-bit integers in rows of %d with scales of groups of %d",
			words.dtype, words.rows, words.cols, m.bits, cols, group)
	}
	scales, err := want(found, base, ".weight_scale", words.rows, cols/group, scaleTypes...)
	if err != nil {
		return words, err
	}
	var zeros sourceTensor
	if perWord := 32 / m.bits; !m.symmetric {
		if zeros, err = want(found, base, ".weight_zero_point", (words.rows+perWord-1)/perWord, cols/group, tensor.I32); err != nil {
			return words, err
		}
	}
	return m.cache.tensor(base+".weight", words.file, func() (x *integers, err error) {
		x = &integers{bits: m.bits, rows: words.rows, cols: cols, group: group, row: rowsOf(words, m.bits)}
		if x.scales, err = scales.numbers(); err != nil || m.symmetric {
			return x, err
		}
		x.zeros, err = m.zeros(x, zeros)
		return x, err
	})
}

// zeros reads zeros, which are packed down the columns, by rows of the matrix.
func (m *compressed) zeros(x *integers, packed sourceTensor) ([]uint8, error) {
	raw, err := packed.bytes()
	if err != nil {
		return nil, err
	}
	groups, perWord, mask := x.groups(), 32/m.bits, uint32(1)<<m.bits-1
	zeros := make([]uint8, x.rows*groups)
	for r := range x.rows {
		for g := range groups {
			word := binary.LittleEndian.Uint32(raw[4*(r/perWord*groups+g):])
			zeros[r*groups+g] = uint8(word >> (r % perWord * m.bits) & mask)
		}
	}
	return zeros, nil
}
