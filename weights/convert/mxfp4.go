package convert

import (
	"strings"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// mxfp4 are the matrices of gpt-oss's experts: NAME_blocks [experts][rows][blocks][16], bytes of two neighbouring elements each, and NAME_scales
// [experts][rows][blocks], exponents. The rows of gate and up stand by turns in gate_up_proj, and the elements of their biases too.
type mxfp4 struct{}

func parseMXFP4(q *settings) method {
	q.ignore("modules_to_not_convert")
	return mxfp4{}
}

const (
	mxfp4Elems = 32 // of a block
	mxfp4Bytes = 17 // a scale, and elements i and i+16 in byte i
)

// restore implements [method].
func (mxfp4) restore(found map[string]sourceTensor) ([]string, error) {
	for _, name := range basesOf(found, "_blocks") {
		scales, ok := take(found, name, "_scales")
		if !ok {
			return nil, badSource(weights.ErrCorrupt, found[name+"_blocks"].file, name+"_scales", "is missing beside its blocks")
		}
		blocks, err := want(found, name, "_blocks", scales.rows*scales.cols, mxfp4Elems/2, tensor.U8)
		if err != nil {
			return nil, err
		}
		if scales.dtype != tensor.U8 {
			return nil, badSource(weights.ErrUnsupported, scales.file, scales.name, "type %v of exponents", scales.dtype)
		}
		base, joined := strings.CutSuffix(name, "gate_up_proj")
		if !joined {
			found[name] = mxfp4Rows(name, blocks, scales, 0, 1)
			continue
		}
		bias, hasBias := take(found, name, "_bias")
		for i, part := range []string{base + "gate_proj", base + "up_proj"} {
			found[part] = mxfp4Rows(part, blocks, scales, i, 2)
			if hasBias {
				found[part+"_bias"] = everySecond(part+"_bias", bias, i)
			}
		}
	}
	return nil, nil
}

// mxfp4Rows returns every step-th row from the first on, in the order of bytes of GGUF files, which stores keep.
func mxfp4Rows(name string, blocks, scales sourceTensor, first, step int) sourceTensor {
	n := scales.cols // blocks of a row
	rows := madeRows{n * mxfp4Bytes, func(dst []byte, row int) error {
		row = first + step*row
		exponents, pairs := make([]byte, n), make([]byte, n*mxfp4Elems/2)
		if err := scales.read(exponents, row); err != nil {
			return err
		}
		if err := blocks.read(pairs, row*n); err != nil {
			return err
		}
		for b, exponent := range exponents {
			out, in := dst[b*mxfp4Bytes:][:mxfp4Bytes], pairs[b*mxfp4Elems/2:]
			out[0] = exponent
			at := func(i int) byte { return in[i/2] >> (4 * (i % 2)) & 15 }
			for i := range mxfp4Elems / 2 {
				out[1+i] = at(i) | at(i+mxfp4Elems/2)<<4
			}
		}
		return nil
	}}
	return sourceTensor{name: name, file: blocks.file, dtype: tensor.MXFP4, rows: scales.rows / step, cols: n * mxfp4Elems, data: rows}
}

// everySecond returns a matrix of every second column of t, from the first on.
func everySecond(name string, t sourceTensor, first int) sourceTensor {
	size, cols := t.dtype.RowBytes(1), t.cols/2
	rows := madeRows{cols * size, func(dst []byte, row int) error {
		all := make([]byte, t.cols*size)
		if err := t.read(all, row); err != nil {
			return err
		}
		for i := range cols {
			copy(dst[i*size:(i+1)*size], all[(2*i+first)*size:])
		}
		return nil
	}}
	return sourceTensor{name: name, file: t.file, dtype: t.dtype, rows: t.rows, cols: cols, data: rows}
}
