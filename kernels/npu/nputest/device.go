// Package nputest is the conformance suite of package npu: what every driver must show.
//
//	func TestConformance(t *testing.T) {
//		nputest.TestDevice(t, func() (npu.Device, error) { return npu.Open(t.Context(), "mine") })
//	}
//
// Results are compared with package kernels: bit for bit where the device claims [npu.RoundingExact], otherwise within a bound that rounding of
// activations to 8 bits can reach. A device that claims at least [npu.RoundingOwn] must compute a row alike in every batch. What a device
// does not claim is not tested, except that it is refused with [npu.ErrUnsupported].
package nputest

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// TestDevice runs all tests, each on a device of its own from open.
func TestDevice(t *testing.T, open func() (npu.Device, error)) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"capabilities", (*suite).capabilities},
		{"buffers", (*suite).buffers},
		{"products that are wrong", (*suite).wrongProducts},
		{"submits that are wrong", (*suite).wrongSubmits},
		{"products", (*suite).products},
		{"products of a part", (*suite).part},
		{"products of unchanged rows", (*suite).unchanged},
		{"weights in its memory", (*suite).weights},
		{"rows do not depend on the batch", (*suite).batchInvariance},
		{"NaN and infinity", (*suite).notFinite},
		{"submits in flight", (*suite).inFlight},
		{"cancelled waits", (*suite).cancelled},
		{"close", (*suite).close},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := open()
			if err != nil {
				t.Fatal(err)
			}
			s := &suite{T: t, d: d, caps: d.Capabilities(), rng: rand.New(rand.NewPCG(7, 11))}
			defer s.end()
			test.run(s)
		})
	}
}

// suite is one test on its device.
type suite struct {
	*testing.T
	d         npu.Device
	caps      npu.Capabilities
	rng       *rand.Rand
	programs  []npu.Program
	allocated []npu.Buffer
}

// end gives everything back.
func (s *suite) end() {
	s.Helper()
	for _, p := range s.programs {
		s.must(p.Close())
	}
	for _, b := range s.allocated {
		s.must(b.Free())
	}
	s.must(s.d.Close())
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// alloc returns a buffer that is freed in the end.
func (s *suite) alloc(bytes int) npu.Buffer {
	s.Helper()
	b, err := s.d.Alloc(bytes)
	s.must(err)
	s.allocated = append(s.allocated, b)
	return b
}

// compile returns a program that is closed in the end.
func (s *suite) compile(d tensor.DType, rows, cols, batch int) npu.Program {
	s.Helper()
	p, err := s.d.Compile(npu.Product{Type: d, Rows: rows, Cols: cols}, batch)
	s.must(err)
	s.programs = append(s.programs, p)
	return p
}

// batches returns the batch sizes to test, at most 64 rows.
func (s *suite) batches() []int {
	batches := s.caps.Batches
	if len(batches) == 0 {
		batches = []int{1, 3, 16, 32}
	}
	var few []int
	for _, b := range batches {
		if b <= 64 || len(few) == 0 {
			few = append(few, b)
		}
	}
	return few
}

// normal returns n normally distributed numbers.
func (s *suite) normal(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(s.rng.NormFloat64())
	}
	return x
}

// matrix returns a packed matrix of small random weights.
func (s *suite) matrix(d tensor.DType, rows, cols int) tensor.Packed {
	s.Helper()
	plain := make([]byte, rows*d.RowBytes(cols))
	if tensor.Encodable(d) {
		values := s.normal(rows * cols)
		for i := range values {
			values[i] /= float32(math.Sqrt(float64(cols)))
		}
		s.must(tensor.Encode(plain, values, d))
	} else {
		plain = blocktest.Random(s.rng, d, rows, cols, func() float32 { return 0.00012 * (1 + s.rng.Float32()) })
	}
	return blocktest.Pack(plain, d, rows, cols)
}

// padded returns a buffer of a batch: rows of cols columns, and garbage as the others.
func (s *suite) padded(x []float32, batch, cols int) npu.Buffer {
	s.Helper()
	b := s.filled(batch*cols, float32(math.NaN()))
	copy(floats(b, len(x)), x)
	s.must(b.Flush(0, 4*len(x)))
	return b
}

// output returns a buffer for a batch of rows of cols columns.
func (s *suite) output(batch, cols int) npu.Buffer {
	s.Helper()
	return s.filled(batch*cols, -12345.75)
}

func (s *suite) filled(n int, value float32) npu.Buffer {
	s.Helper()
	b := s.alloc(4 * n)
	all := floats(b, n)
	for i := range all {
		all[i] = value
	}
	s.must(b.Flush(0, 4*n))
	return b
}

func floats(b npu.Buffer, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b.Bytes()))), n)
}

// result returns the first n numbers of an output.
func (s *suite) result(y npu.Buffer, n int) []float32 {
	s.Helper()
	s.must(y.Invalidate(0, 4*n))
	return append([]float32(nil), floats(y, n)...)
}

// run submits a program and waits for it.
func (s *suite) run(p npu.Program, rows int, o npu.Operands) {
	s.Helper()
	e, err := p.Submit(context.Background(), rows, o)
	s.must(err)
	s.must(e.Wait(context.Background()))
}

// near compares results with those of package kernels. For devices that are not exact, differences are bounded relative to the root mean
// square of want.
func (s *suite) near(what string, got, want []float32) {
	s.Helper()
	square := 0.0
	for _, w := range want {
		square += float64(w) * float64(w)
	}
	bound := tolerance * math.Sqrt(square/float64(len(want)))
	for i := range want {
		same := math.Float32bits(got[i]) == math.Float32bits(want[i])
		if s.caps.Rounding != npu.RoundingExact {
			same = math.Abs(float64(got[i])-float64(want[i])) <= bound
		}
		if !same {
			s.Fatalf("%s: value %d of %d is %v, want %v (rounding: %v, bound %v)", what, i, len(want), got[i], want[i], s.caps.Rounding, bound)
		}
	}
}
