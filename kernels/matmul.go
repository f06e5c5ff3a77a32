package kernels

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// Bounds of the work, in multiply-accumulates, that a worker takes at a time: enough to pay for waking it, and little
// enough that the workers end together and that the garbage collector need not wait long for a kernel.
const (
	minUnitMACs = 1 << 17
	maxUnitMACs = 1 << 26
)

// MatMul multiplies a part of a packed matrix with all rows of in: for r < w.Rows and i < n,
//
//	dst[i*ldd + w.Row + r] = Σ_c w[r][c]·x[i][c]
//
// dst is the output of the whole matrix, [n][ldd], so that all its parts fill it, in any order. w is of a
// type that is [tensor.Packable], with w.Cols = k. dst must not overlap in's rows. The work is spread over p, and done with its kernel set.
func MatMul(p *Pool, dst []float32, ldd int, w tensor.Packed, in *Input) {
	if err := w.Check(); err != nil {
		panic("kernels: MatMul: " + err.Error())
	}
	if w.Cols != in.k {
		panic(fmt.Sprintf("kernels: MatMul: k %d != %d", w.Cols, in.k))
	}
	checkOutput("MatMul", dst, ldd, w.Row+w.Rows, in.n)
	set := p.Set()
	quant, inForm := set.k.MatMul[w.Type]
	if !inForm && w.Type != tensor.F16 {
		panic(fmt.Sprintf("kernels: MatMul: no kernel for %v weights", w.Type))
	}
	if in.n == 0 {
		return
	}

	in.job = product{set: set, dst: dst[w.Row:], ldd: ldd, w: w, quant: quant, tiles: (w.Rows + tensor.TileRows - 1) / tensor.TileRows}
	if inForm {
		in.job.q = in.quantized(p, quant.Form)
	}
	if quant.Unpack.Run != nil {
		in.makeUnpacked(quant, p.Workers())
	}
	if need := in.n * tensor.TileRows; w.Rows%tensor.TileRows != 0 && len(in.tail) < need {
		in.tail = make([]float32, need)
	}
	if in.productFunc == nil {
		in.productFunc = in.unit
	}
	in.job.unitTiles = unitRows(in.job.tiles, tensor.TileRows*in.k*in.n, p.Workers())
	p.Run((in.job.tiles+in.job.unitTiles-1)/in.job.unitTiles, in.productFunc)
	in.job = product{}
}

// unitRows returns how many of rows rows (or tiles) of macs multiply-accumulates each make one unit of work.
func unitRows(rows, macs, workers int) int {
	const unitsPerWorker = 8
	macs = max(macs, 1)
	unit := rows / (unitsPerWorker * workers)
	return max(1, min(max(unit, minUnitMACs/macs), maxUnitMACs/macs))
}

// checkOutput panics unless dst can hold columns 0 … cols-1 of n rows that lie ldd apart.
func checkOutput(op string, dst []float32, ldd, cols, n int) {
	if ldd < cols {
		panic(fmt.Sprintf("kernels: %s: row stride %d < %d", op, ldd, cols))
	}
	if n > 0 && len(dst) < (n-1)*ldd+cols {
		panic(fmt.Sprintf("kernels: %s: output of %d rows of %d needs %d elements, got %d", op, n, ldd, (n-1)*ldd+cols, len(dst)))
	}
}

// MatMulF32 multiplies a plain matrix w [rows][k], row-major, with all rows of in: dst[i*ldd+r] = Σ_c w[r][c]·x[i][c].
// dst is [n][ldd] and must overlap neither. The work is spread over p, and done with its kernel set.
func MatMulF32(p *Pool, dst []float32, ldd int, w []float32, rows int, in *Input) {
	if rows < 0 || len(w) != rows*in.k {
		panic(fmt.Sprintf("kernels: MatMulF32: weights [%d %d] need %d elements, got %d", rows, in.k, rows*in.k, len(w)))
	}
	checkOutput("MatMulF32", dst, ldd, rows, in.n)
	if rows == 0 || in.n == 0 {
		return
	}
	if in.plainFunc == nil {
		in.plainFunc = in.plainUnit
	}
	in.plain = plainProduct{set: p.Set(), dst: dst, ldd: ldd, w: w, rows: rows, unitRows: unitRows(rows, in.k*in.n, p.Workers())}
	p.Run((rows+in.plain.unitRows-1)/in.plain.unitRows, in.plainFunc)
	in.plain = plainProduct{}
}
