package convert

import (
	"strings"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// mlx are matrices as mlx-lm quantises them: integers in rows, and a scale and a bias for each group of columns.
type mlx struct {
	mlxShape
	other map[string]mlxShape // of single matrices
	cache oneMatrix
}

type mlxShape struct{ bits, group int }

func parseMLX(q *settings) method {
	m := &mlx{mlxShape: parseMLXShape(q), other: map[string]mlxShape{}}
	within(q, "quant_method", "", "mlx")
	q.ignore("linear_class", "quantize_input") // which classes of the program hold the matrices
	for key, raw := range q.values {
		if !strings.Contains(key, ".") && key != "lm_head" {
			continue
		}
		if q.asked = append(q.asked, key); string(raw) == "false" { // is not quantised
			continue
		}
		one := q.inner(key)
		m.other[key] = parseMLXShape(one)
		if one.check(); q.err == nil {
			q.err = one.err
		}
	}
	return m
}

func parseMLXShape(q *settings) mlxShape {
	within(q, "mode", "affine")
	return mlxShape{bits: within(q, "bits", 4, 2, 3, 5, 6, 8), group: within(q, "group_size", 64, 32, 128)}
}

func (m *mlx) restore(found map[string]sourceTensor) ([]string, error) {
	bases := basesOf(found, ".scales")
	for _, base := range bases {
		shape, ok := m.other[base]
		if !ok {
			shape = m.mlxShape
		}
		weight, ok := take(found, base, ".weight")
		cols := weight.cols * 32 / shape.bits
		if !ok || weight.dtype != tensor.U32 || weight.cols*32%shape.bits != 0 || cols%shape.group != 0 {
			return nil, badSource(weights.ErrCorrupt, found[base+".scales"].file, base+".weight", "is no matrix of %d-bit integers, %d of which share a scale", shape.bits, shape.group)
		}
		scales, err := want(found, base, ".scales", weight.rows, cols/shape.group, scaleTypes...)
		if err != nil {
			return nil, err
		}
		biases, err := want(found, base, ".biases", weight.rows, cols/shape.group, scaleTypes...)
		if err != nil {
			return nil, err
		}
		if found[base+".weight"], err = m.cache.tensor(base+".weight", weight.file, func() (*integers, error) { return shape.load(weight, scales, biases, cols) }); err != nil {
			return nil, err
		}
	}
	return affineNote("mlx", m.bits, len(bases)), nil
}

func (m mlxShape) load(weight, scales, biases sourceTensor, cols int) (x *integers, err error) {
	x = &integers{bits: m.bits, rows: weight.rows, cols: cols, group: m.group, row: rowsOf(weight, m.bits)}
	if x.scales, err = scales.numbers(); err != nil {
		return nil, err
	}
	x.biases, err = biases.numbers()
	return x, err
}

// rowsOf reads integers that stand in rows, one behind the other.
func rowsOf(t sourceTensor, bits int) func(dst []uint8, row int) error {
	return func(dst []uint8, row int) error {
		raw := make([]byte, t.dtype.RowBytes(t.cols))
		if err := t.read(raw, row); err != nil {
			return err
		}
		bitFields(dst, raw, bits)
		return nil
	}
}
