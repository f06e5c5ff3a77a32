package convert

import (
	"encoding/binary"
	"sync"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// columns are matrices of integers as GPTQ and AWQ keep them, transposed: a row of scales and of zeros for each group of columns, and integers packed in
// 32-bit words.
type columns struct {
	name        string
	bits, group int // a group of -1 has all columns
	zeroOffset  int // is added to what is stored as a zero
	// word returns where the integer of a column and row stands, in a tensor whose words have 32/bits integers.
	word  func(col, row, rows, perWord int) (word, place int)
	place func(row, perWord int) int // of the zero of a row in its word
	cache oneMatrix
}

// harmlessGPTQ are keys of how the integers were found and how another program multiplies with them.
var harmlessGPTQ = []string{
	"damp_percent", "damp_auto_increment", "static_groups", "true_sequential", "model_name_or_path", "model_file_base_name", "meta", "dataset", "tokenizer", "desc_act",
	"block_name_to_quantize", "module_name_preceding_first_block", "batch_size", "pad_token_id", "use_cuda_fp16", "model_seqlen", "cache_block_outputs", "modules_in_block_to_quantize",
	"use_exllama", "exllama_config", "max_input_length", "disable_exllama", "mse", "parallel_packing", "backend", "quantizer", "act_group_aware", "sym", "lm_head", "modules_to_not_convert",
}

func parseGPTQ(q *settings) method {
	m := &columns{name: "gptq", bits: within(q, "bits", 4, 2, 8), zeroOffset: 1}
	m.group, _ = value(q, "group_size", 128)
	if within(q, "checkpoint_format", "gptq", "gptq_v2") == "gptq_v2" {
		m.zeroOffset = 0
	}
	within(q, "pack_dtype", "int32")
	within(q, "quant_method", "gptq")
	q.ignore(harmlessGPTQ...)
	m.word = func(col, row, rows, perWord int) (int, int) { return col/perWord*rows + row, col % perWord }
	m.place = func(row, perWord int) int { return row % perWord }
	return m
}

// awqOrder is the place of each of eight integers in its word.
var awqOrder = [8]int{0, 4, 1, 5, 2, 6, 3, 7}

func parseAWQ(q *settings) method {
	m := &columns{name: "awq", bits: within(q, "bits", 4)}
	m.group, _ = value(q, "group_size", 128)
	within(q, "version", "gemm", "GEMM")
	within(q, "zero_point", true)
	within(q, "quant_method", "awq")
	within(q, "backend", "autoawq")
	q.ignore("modules_to_not_convert", "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "exllama_config", "w_bit", "q_group_size")
	m.word = func(col, row, rows, perWord int) (int, int) {
		return col*(rows/perWord) + row/perWord, awqOrder[row%perWord]
	}
	m.place = func(row, perWord int) int { return awqOrder[row%perWord] }
	return m
}

func (m *columns) restore(found map[string]sourceTensor) ([]string, error) {
	return restoreIntegers(found, ".qweight", m.name, m.bits, m.matrix)
}

// matrix takes the tensors that stand for a matrix from found.
func (m *columns) matrix(found map[string]sourceTensor, base string) (sourceTensor, error) {
	words, _ := take(found, base, ".qweight")
	perWord := 32 / m.bits
	cols, rows := words.rows*perWord, words.cols
	if m.name == "awq" {
		cols, rows = words.rows, words.cols*perWord
	}
	group := m.group
	if group == -1 {
		group = cols
	}
	if words.dtype != tensor.I32 || group <= 0 || cols%group != 0 || rows%perWord != 0 {
		return words, badSource(weights.ErrCorrupt, words.file, words.name, "%v [%d %d] holds no %d-bit integers with scales of groups of %d", words.dtype, words.rows, words.cols, m.bits, m.group)
	}
	scales, err := want(found, base, ".scales", cols/group, rows, scaleTypes...)
	if err != nil {
		return words, err
	}
	zeros, err := want(found, base, ".qzeros", cols/group, rows/perWord, tensor.I32)
	if err != nil {
		return words, err
	}
	var order []int32
	if index, ok := take(found, base, ".g_idx"); ok {
		if order, err = groupOrder(index, cols, group); err != nil {
			return words, err
		}
	}
	return m.cache.tensor(base+".weight", words.file, func() (*integers, error) {
		x := &integers{bits: m.bits, rows: rows, cols: cols, group: group, groupOf: order, row: m.rowsOf(words, rows)}
		err := m.loadScales(x, scales, zeros)
		return x, err
	})
}

// groupOrder reads which group each column belongs to; nil if that is column/group.
func groupOrder(index sourceTensor, cols, group int) ([]int32, error) {
	if index.dtype != tensor.I32 || index.rows*index.cols != cols {
		return nil, badSource(weights.ErrCorrupt, index.file, index.name, "%v [%d %d], of %d columns", index.dtype, index.rows, index.cols, cols)
	}
	raw, err := index.bytes()
	if err != nil {
		return nil, err
	}
	order, usual := make([]int32, cols), true
	for c := range order {
		order[c] = int32(binary.LittleEndian.Uint32(raw[4*c:]))
		if order[c] < 0 || int(order[c]) >= cols/group {
			return nil, badSource(weights.ErrCorrupt, index.file, index.name, "column %d is of group %d, of %d", c, order[c], cols/group)
		}
		usual = usual && int(order[c]) == c/group
	}
	if usual {
		return nil, nil
	}
	return order, nil
}

// rowsOf returns a function that takes the integers of a row from words, which are read once.
func (m *columns) rowsOf(words sourceTensor, rows int) func(dst []uint8, row int) error {
	load := sync.OnceValues(words.bytes)
	perWord, mask := 32/m.bits, uint32(1)<<m.bits-1
	return func(dst []uint8, row int) error {
		raw, err := load()
		if err != nil {
			return err
		}
		for c := range dst {
			at, place := m.word(c, row, rows, perWord)
			dst[c] = uint8(binary.LittleEndian.Uint32(raw[4*at:]) >> (place * m.bits) & mask)
		}
		return nil
	}
}

// loadScales reads scales and zeros, by rows of the matrix.
func (m *columns) loadScales(x *integers, scales, zeros sourceTensor) error {
	s, err := scales.numbers()
	if err != nil {
		return err
	}
	z, err := zeros.bytes()
	if err != nil {
		return err
	}
	groups, perWord, mask := x.groups(), 32/m.bits, uint32(1)<<m.bits-1
	x.scales, x.zeros = make([]float32, len(s)), make([]uint8, len(s))
	for g := range groups {
		for r := range x.rows {
			word := binary.LittleEndian.Uint32(z[4*(g*(x.rows/perWord)+r/perWord):])
			x.scales[r*groups+g] = s[g*x.rows+r]
			x.zeros[r*groups+g] = uint8((word>>(m.place(r, perWord)*m.bits) + uint32(m.zeroOffset)) & mask)
		}
	}
	return nil
}
