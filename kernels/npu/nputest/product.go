package nputest

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// tolerance is what rounding activations to 8 bits, and sums to half precision, may do to a product.
const tolerance = 0.05

// product is what package kernels makes of W·x.
func product(w tensor.Packed, x []float32, n int) []float32 {
	var in kernels.Input
	in.Reset(x, n, w.Cols)
	w.Row = 0
	out := make([]float32, n*w.Rows)
	kernels.MatMul(nil, out, w.Rows, w, &in)
	return out
}

// products multiplies with each type the device takes, in shapes with and without a whole last tile, each batch size, full and padded.
func (s *suite) products() {
	for _, d := range s.caps.Weights {
		for _, shape := range [][2]int{{16, 256}, {90, 256}, {64, 512}} {
			w := s.matrix(d, shape[0], shape[1])
			for _, batch := range s.batches() {
				p := s.compile(d, w.Rows, w.Cols, batch)
				for _, rows := range []int{1, (batch + 1) / 2, batch} {
					x := s.normal(rows * w.Cols)
					out := s.output(batch, w.Rows)
					s.run(p, rows, npu.Operands{W: w, X: s.padded(x, batch, w.Cols), Y: out})
					s.near(fmt.Sprintf("%v [%d %d] × %d rows of %d", d, w.Rows, w.Cols, rows, batch),
						s.result(out, rows*w.Rows), product(w, x, rows))
				}
			}
		}
	}
}

// part multiplies rows that do not begin a buffer with rows of a larger matrix.
func (s *suite) part() {
	for _, d := range s.caps.Weights {
		w := s.matrix(d, 90, 256)
		x, part := s.normal(256), w.Slice(32, 80)
		part.Row += 160
		batch := s.caps.Batch(1)
		offset := max(4, s.caps.Alignment)
		in := s.alloc(offset + 4*256*batch)
		copy(floats(in, offset/4+256)[offset/4:], x)
		s.must(in.Flush(offset, offset+4*256))
		p, out := s.compile(d, 48, 256, batch), s.output(batch, 48)
		s.run(p, 1, npu.Operands{W: part, X: in, XOffset: offset, Y: out})
		s.near(d.String(), s.result(out, 48), product(part, x, 1))
	}
}

// unchanged multiplies the same rows with several matrices, as the parts of one arrive, and then others in the same memory.
func (s *suite) unchanged() {
	for _, d := range s.caps.Weights {
		batch := s.caps.Batch(3)
		rows := min(3, batch)
		p, other := s.compile(d, 32, 256, batch), s.compile(d, 48, 256, batch)
		x := s.normal(rows * 256)
		in := s.padded(x, batch, 256)
		for i := range 6 {
			if i == 4 {
				x = s.normal(rows * 256)
				copy(floats(in, len(x)), x)
				s.must(in.Flush(0, 4*len(x)))
			}
			p, out := p, 32
			if i%2 == 1 {
				p, out = other, 48
			}
			w, y := s.matrix(d, out, 256), s.output(batch, out)
			s.run(p, rows, npu.Operands{W: w, X: in, XUnchanged: i != 0 && i != 4, Y: y})
			s.near(fmt.Sprintf("%v, product %d", d, i), s.result(y, rows*out), product(w, x, rows))
		}
	}
}

// weights multiplies with parts of a matrix in memory that the device gave for it, and with others that come there.
func (s *suite) weights() {
	d, ok := s.d.(npu.WeightAllocator)
	if !ok {
		s.Skip("the device gives no memory for weights")
	}
	for _, t := range s.caps.Weights {
		const bytes = 1 << 20
		memory, err := d.AllocWeights(t, bytes)
		s.must(err)
		if mem := memory.Bytes(); len(mem) != bytes || uintptr(unsafe.Pointer(&mem[0]))%4096 != 0 {
			s.Fatalf("%d bytes of %d at %p, which is to be a multiple of 4096", len(mem), bytes, mem)
		}
		p, x := s.compile(t, 32, 256, s.caps.Batch(1)), s.normal(256)
		for i := range 2 {
			w := s.matrix(t, 64, 256)
			w.Data = memory.Bytes()[bytes-len(w.Data):][:copy(memory.Bytes()[bytes-len(w.Data):], w.Data)]
			s.must(memory.Flush(bytes-len(w.Data), bytes))
			for row := 0; row < 64; row += 32 {
				part, out := w.Slice(row, row+32), s.output(s.caps.Batch(1), 32)
				s.run(p, 1, npu.Operands{W: part, X: s.padded(x, s.caps.Batch(1), 256), Y: out})
				s.near(fmt.Sprintf("%v, weights %d", t, i), s.result(out, 32), product(part, x, 1))
			}
		}
		s.must(memory.Free())
		s.must(memory.Free())
	}
	if _, err := d.AllocWeights(tensor.F32, 1<<20); !errors.Is(err, npu.ErrUnsupported) {
		s.Errorf("memory for weights that the device does not take: %v", err)
	}
}

// batchInvariance compares the bits of a row alone with those in each batch.
func (s *suite) batchInvariance() {
	if s.caps.Rounding == npu.RoundingVaries {
		s.Skip("the device does not claim it")
	}
	for _, d := range s.caps.Weights {
		w, x := s.matrix(d, 64, 512), s.normal(64*512)
		var alone []float32
		for _, batch := range s.batches() {
			p := s.compile(d, 64, 512, batch)
			for _, rows := range []int{1, batch} {
				out := s.output(batch, 64)
				s.run(p, rows, npu.Operands{W: w, X: s.padded(x[:rows*512], batch, 512), Y: out})
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
	for _, d := range s.caps.Weights {
		batch := s.caps.Batch(3)
		if batch < 3 {
			s.Skip("batches of one row")
		}
		w, x := s.matrix(d, 16, 256), s.normal(3*256)
		want := product(w, x, 3)
		x[256+17], x[256+18] = float32(math.NaN()), float32(math.Inf(1))
		p, out := s.compile(d, 16, 256, batch), s.output(batch, 16)
		s.run(p, 3, npu.Operands{W: w, X: s.padded(x, batch, 256), Y: out})
		got := s.result(out, 48)
		for i, v := range got[16:32] {
			if v == v {
				s.Fatalf("%v: value %d of a row with a NaN is %v", d, i, v)
			}
		}
		s.near(d.String()+": the row before", got[:16], want[:16])
		s.near(d.String()+": the row behind", got[32:], want[32:])
	}
}
