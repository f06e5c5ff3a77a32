package kernels

import (
	"fmt"
	"unsafe"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// QuantBlock is the number of columns that share one scale in the int8 form of activations.
const QuantBlock = 32

// Input is float32 activation rows as matrices of any packed type are multiplied with them. The int8 form is made when the
// first quantised matrix needs it and serves all products until the next Reset. Buffers are kept, so that an Input in steady
// use does not allocate. The zero value is empty and ready. An Input is used by one goroutine at a time.
type Input struct {
	x    []float32 // borrowed, [n][k]
	n, k int

	forms [maxForms]quantized
	tail  []float32 // [n][TileRows], results of a last tile that is not whole

	unpacked [][]byte // a tile for each worker, where weights are unpacked before they are multiplied

	// Work handed to the pool; the functions are made once because a new closure for each product would be garbage.
	quantizing   *quantized
	job          product
	quantizeFunc func(worker, i int)
	productFunc  func(worker, i int)
	plain        plainProduct
	plainFunc    func(worker, i int)
}

// maxForms bounds the forms that the kernels of one set use.
const maxForms = 8

// quantized is the activations in one form of a kernel set; form is nil while the slot is free.
type quantized struct {
	form *table.Form
	q    []byte
}

// Reset makes in stand for x, n rows of k columns. x is borrowed, and must not change, until the next Reset.
func (in *Input) Reset(x []float32, n, k int) {
	if n < 0 || k < 0 || len(x) < n*k {
		panic(fmt.Sprintf("kernels: Input.Reset: %d rows of %d columns need %d elements, got %d", n, k, n*k, len(x)))
	}
	in.x, in.n, in.k = x[:n*k], n, k
	for i := range in.forms {
		in.forms[i].form = nil
	}
}

// Rows returns what Reset was given: n rows of k columns.
func (in *Input) Rows() (x []float32, n, k int) { return in.x, in.n, in.k }

// quantizeAlone is the number of elements below which waking workers costs more than quantising.
const quantizeAlone = 1 << 15

// quantized returns the rows in the given form.
func (in *Input) quantized(p *Pool, form *table.Form) []byte {
	var slot *quantized
	for i := range in.forms {
		slot = &in.forms[i]
		if slot.form == form {
			return slot.q
		}
		if slot.form == nil {
			break
		}
	}
	slot.form = form
	slot.q = alignedBytes(slot.q, in.n*form.RowBytes(in.k))
	in.quantizing = slot
	if in.quantizeFunc == nil {
		in.quantizeFunc = in.quantizeGroup
	}
	if in.n*in.k < quantizeAlone {
		p = nil
	}
	p.Run((in.n+table.GroupRows-1)/table.GroupRows, in.quantizeFunc)
	return slot.q
}

// quantizeGroup makes the form of one group of rows.
func (in *Input) quantizeGroup(_, g int) {
	row := g * table.GroupRows
	rows := min(table.GroupRows, in.n-row)
	form := in.quantizing.form
	rowBytes := form.RowBytes(in.k)
	form.Quantize(in.quantizing.q[row*rowBytes:(row+rows)*rowBytes], in.x[row*in.k:(row+rows)*in.k], rows, in.k)
}

// product is a matrix product that the pool works on, in units of unitTiles tiles.
type product struct {
	set   *Set
	dst   []float32 // begins at the first row of w
	ldd   int
	w     tensor.Packed
	quant table.QuantMatMul // zero for F16 weights times float32
	q     []byte

	tiles, unitTiles int
}

// unit computes one unit of the product.
func (in *Input) unit(worker, u int) {
	j := &in.job
	first := u * j.unitTiles
	last := min(first+j.unitTiles, j.tiles)
	whole := min(last, j.w.Rows/tensor.TileRows)
	if first < whole {
		in.multiply(worker, j.dst[first*tensor.TileRows:], j.ldd, first, whole)
	}
	if whole == last {
		return
	}
	in.multiply(worker, in.tail, tensor.TileRows, whole, last)
	row := whole * tensor.TileRows
	for i := range in.n {
		copy(j.dst[i*j.ldd+row:i*j.ldd+j.w.Rows], in.tail[i*tensor.TileRows:])
	}
}

// multiply computes tiles first … last-1 for all rows.
func (in *Input) multiply(worker int, dst []float32, ldd, first, last int) {
	j := &in.job
	size := tensor.TileBytes(j.w.Type, in.k)
	w := j.w.Data[first*size : last*size]
	switch {
	case j.quant.Form == nil:
		j.set.k.MatMulF16F32(dst, ldd, w, last-first, in.x, in.n, in.k)
	case j.quant.Unpack.Run == nil:
		j.quant.Run(dst, ldd, w, last-first, j.q, in.n, in.k)
	default:
		for t := range last - first {
			in.multiplyUnpacked(in.unpacked[worker], dst[t*tensor.TileRows:], ldd, w[t*size:(t+1)*size])
		}
	}
}

// multiplyUnpacked unpacks a tile, all of it or part by part, and computes it for all rows.
func (in *Input) multiplyUnpacked(unpacked []byte, dst []float32, ldd int, tile []byte) {
	quant := &in.job.quant
	if quant.RunPart == nil {
		quant.Unpack.Run(unpacked, tile)
		quant.Run(dst, ldd, unpacked, 1, in.job.q, in.n, in.k)
		return
	}
	for i := range in.n {
		clear(dst[i*ldd:][:tensor.TileRows])
	}
	partBytes := tensor.TileBytes(in.job.w.Type, table.PartColumns)
	for first := 0; first < in.k; first += table.PartColumns {
		part := unpacked[:min(table.PartColumns, in.k-first)/QuantBlock*quant.Unpack.Layout.BlockBytes()]
		quant.Unpack.Run(part, tile[:min(partBytes, len(tile))])
		quant.RunPart(dst, ldd, part, in.job.q, in.n, in.k, first)
		tile = tile[min(partBytes, len(tile)):]
	}
}

// makeUnpacked makes room to unpack a tile, or a part of one, by each of some workers.
func (in *Input) makeUnpacked(quant table.QuantMatMul, workers int) {
	columns := in.k
	if quant.RunPart != nil {
		columns = min(columns, table.PartColumns)
	}
	for len(in.unpacked) < workers {
		in.unpacked = append(in.unpacked, nil)
	}
	for w := range workers {
		in.unpacked[w] = alignedBytes(in.unpacked[w], columns/QuantBlock*quant.Unpack.Layout.BlockBytes())
	}
}

// plainProduct is a product with a row-major float32 matrix, in units of unitRows rows.
type plainProduct struct {
	set            *Set
	dst            []float32
	ldd            int
	w              []float32
	rows, unitRows int
}

// plainUnit computes one unit of the plain product.
func (in *Input) plainUnit(_, u int) {
	j := &in.plain
	first := u * j.unitRows
	last := min(first+j.unitRows, j.rows)
	j.set.k.MatMulF32F32(j.dst[first:], j.ldd, j.w[first*in.k:last*in.k], last-first, in.x, in.n, in.k)
}

// alignedBytes returns n bytes that begin at a multiple of 64, in buf if they fit.
func alignedBytes(buf []byte, n int) []byte {
	const align = 64
	if n <= cap(buf) {
		return buf[:n]
	}
	buf = make([]byte, n+align-1)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))) & (align - 1)
	return buf[skip : skip+n : skip+n]
}
