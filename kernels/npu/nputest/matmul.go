package nputest

import (
	"fmt"
	"math"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// matMulTolerance is what rounding activations to 8 bits, and sums to half precision, may do to a product.
const matMulTolerance = 0.05

// product is what package kernels makes of W·x.
func product(w tensor.Packed, x []float32, n int) []float32 {
	var in kernels.Input
	in.Reset(x, n, w.Cols)
	w.Row = 0
	out := make([]float32, n*w.Rows)
	kernels.MatMul(nil, out, w.Rows, w, &in)
	return out
}

// matMul multiplies with each type the device takes, in shapes with and without a whole last tile, each batch size, full and padded.
func (s *suite) matMul() {
	s.need(npu.MatMul)
	for _, d := range s.caps.Weights {
		for _, shape := range [][2]int{{16, 256}, {90, 256}, {64, 512}} {
			w := s.matrix(d, shape[0], shape[1])
			for _, batch := range s.batches() {
				p := s.compile(npu.Projection(d, w.Rows, w.Cols), batch)
				for _, rows := range []int{1, (batch + 1) / 2, batch} {
					x := s.normal(rows * w.Cols)
					out := s.output(batch, w.Rows)
					s.run(p, rows, npu.Binding{Parts: []tensor.Packed{w}}, s.padded(x, batch, w.Cols), out)
					s.near(fmt.Sprintf("%v [%d %d] × %d rows of %d", d, w.Rows, w.Cols, rows, batch),
						s.result(out, rows*w.Rows), product(w, x, rows), matMulTolerance)
				}
			}
		}
	}
}

// matMulParts binds a matrix in several parts that begin anywhere in a larger one.
func (s *suite) matMulParts() {
	s.need(npu.MatMul)
	for _, d := range s.caps.Weights {
		w := s.matrix(d, 90, 256)
		x := s.normal(256)
		parts := []tensor.Packed{w.Slice(0, 32), w.Slice(32, 80), w.Slice(80, 90)}
		for i := range parts {
			parts[i].Row += 160
		}
		batch := s.caps.Batch(1)
		p := s.compile(npu.Projection(d, 90, 256), batch)
		out := s.output(batch, 90)
		s.run(p, 1, npu.Binding{Parts: parts}, s.padded(x, batch, 256), out)
		s.near(d.String(), s.result(out, 90), product(w, x, 1), matMulTolerance)
	}
}

// matMulUnchanged multiplies the same rows with several matrices, as the parts of one arrive, and then others in the same memory.
func (s *suite) matMulUnchanged() {
	s.need(npu.MatMul)
	for _, d := range s.caps.Weights {
		batch := s.caps.Batch(3)
		rows := min(3, batch)
		p, other := s.compile(npu.Projection(d, 32, 256), batch), s.compile(npu.Projection(d, 48, 256), batch)
		x := s.normal(rows * 256)
		in := s.padded(x, batch, 256)
		for i := range 6 {
			if i == 4 {
				x = s.normal(rows * 256)
				copy(view[float32](in.Buffer, len(x)), x)
				s.must(in.Buffer.Flush(0, 4*len(x)))
			}
			in.Unchanged = i != 0 && i != 4
			p, out := p, 32
			if i%2 == 1 {
				p, out = other, 48
			}
			w, y := s.matrix(d, out, 256), s.output(batch, out)
			s.run(p, rows, npu.Binding{Parts: []tensor.Packed{w}}, in, y)
			s.near(fmt.Sprintf("%v, product %d", d, i), s.result(y, rows*out), product(w, x, rows), matMulTolerance)
		}
	}
}

// batchInvariance compares the bits of a row alone with those in each batch.
func (s *suite) batchInvariance() {
	s.need(npu.MatMul)
	if s.caps.Rounding == npu.RoundingVaries {
		s.Skip("the device does not claim it")
	}
	for _, d := range s.caps.Weights {
		w, x := s.matrix(d, 64, 512), s.normal(64*512)
		var alone []float32
		for _, batch := range s.batches() {
			p := s.compile(npu.Projection(d, 64, 512), batch)
			for _, rows := range []int{1, batch} {
				out := s.output(batch, 64)
				s.run(p, rows, npu.Binding{Parts: []tensor.Packed{w}}, s.padded(x[:rows*512], batch, 512), out)
				got := s.result(out, 64)
				if alone == nil {
					alone = got
				}
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(alone[i]) {
						s.Fatalf("%v: value %d of a row among %d in a batch of %d is %v, alone %v", d, i, rows, batch, got[i], alone[i])
					}
				}
			}
		}
	}
}

// notFinite shows that what is no number stays one, and in its row.
func (s *suite) notFinite() {
	s.need(npu.MatMul)
	for _, d := range s.caps.Weights {
		batch := s.caps.Batch(3)
		if batch < 3 {
			s.Skip("batches of one row")
		}
		w, x := s.matrix(d, 16, 256), s.normal(3*256)
		want := product(w, x, 3)
		x[256+17], x[256+18] = float32(math.NaN()), float32(math.Inf(1))
		p, out := s.compile(npu.Projection(d, 16, 256), batch), s.output(batch, 16)
		s.run(p, 3, npu.Binding{Parts: []tensor.Packed{w}}, s.padded(x, batch, 256), out)
		got := s.result(out, 48)
		for i, v := range got[16:32] {
			if v == v {
				s.Fatalf("%v: value %d of a row with a NaN is %v", d, i, v)
			}
		}
		s.near(d.String()+": the row before", got[:16], want[:16], matMulTolerance)
		s.near(d.String()+": the row behind", got[32:], want[32:], matMulTolerance)
	}
}
