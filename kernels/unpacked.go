package kernels

import (
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// unpackedTile is what a worker needs to multiply with tiles that are unpacked first.
type unpackedTile struct {
	weights []byte
	minima  []float32 // [TileRows][k/QuantBlock]
	taken   []float32 // [n][TileRows], the products with minima
}

// prepareUnpacked makes room for each of some workers, and sums where quant has minima.
func (in *Input) prepareUnpacked(quant table.QuantMatMul, workers int) {
	for len(in.unpacked) < workers {
		in.unpacked = append(in.unpacked, unpackedTile{})
	}
	blocks := in.k / QuantBlock
	for w := range workers {
		u := &in.unpacked[w]
		u.weights = alignedBytes(u.weights, table.UnpackedTileBytes(in.k))
		if quant.Minima != nil {
			u.minima = floatsFor(u.minima, tensor.TileRows*blocks)
			u.taken = floatsFor(u.taken, in.n*tensor.TileRows)
		}
	}
	if quant.Minima != nil {
		in.sumBlocks(quant.Form, in.job.q)
	}
}

// sumBlocks sums the activations of a form, as they are quantised, block by block.
func (in *Input) sumBlocks(form *table.Form, q []byte) {
	blocks := in.k / QuantBlock
	in.sums = floatsFor(in.sums, in.n*blocks)
	for i := range in.n {
		group := i / table.GroupRows * table.GroupRows
		rows := min(table.GroupRows, in.n-group)
		for b := range blocks {
			d, v := form.Block(q[group*form.RowBytes(in.k):], rows, in.k, i-group, b)
			sum := int32(0)
			for _, x := range v {
				sum += x
			}
			in.sums[i*blocks+b] = d * float32(sum)
		}
	}
}

// multiplyUnpacked unpacks a tile once and multiplies all rows with it.
func (in *Input) multiplyUnpacked(u *unpackedTile, dst []float32, ldd int, tile []byte) {
	j := &in.job
	j.quant.Unpack(u.weights, tile)
	j.quant.Run(dst, ldd, u.weights, 1, j.q, in.n, in.k)
	if j.quant.Minima == nil {
		return
	}
	j.quant.Minima(u.minima, tile)
	j.set.k.MatMulF32F32(u.taken, tensor.TileRows, u.minima, tensor.TileRows, in.sums, in.n, in.k/QuantBlock)
	for i := range in.n {
		row := dst[i*ldd : i*ldd+tensor.TileRows]
		for r, v := range u.taken[i*tensor.TileRows:][:tensor.TileRows] {
			row[r] -= v
		}
	}
}

// floatsFor returns n numbers, in buf if they fit.
func floatsFor(buf []float32, n int) []float32 {
	if n <= cap(buf) {
		return buf[:n]
	}
	return make([]float32, n)
}
