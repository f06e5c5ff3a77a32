package tensor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/x448/float16"
	"pgregory.net/rapid"
)

func TestF16ToF32IsExact(t *testing.T) {
	for h := range 1 << 16 {
		got, want := tensor.F16ToF32(uint16(h)), float16.Frombits(uint16(h)).Float32()
		if got != want && !(got != got && want != want) || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
		if back := tensor.F32ToF16(got); back != uint16(h) && !(got != got && back == uint16(h)|0x0200) {
			t.Fatalf("%#04x: comes back as %#04x", h, back)
		}
	}
}

func TestF32ToF16Rounds(t *testing.T) {
	check := func(x float32) {
		t.Helper()
		if got, want := tensor.F32ToF16(x), float16.Fromfloat32(x).Bits(); got != want {
			t.Fatalf("%v (%#08x): got %#04x, want %#04x", x, math.Float32bits(x), got, want)
		}
	}
	for h := range 0x7C00 { // around every F16 number and every middle of two, of both signs
		low := float64(tensor.F16ToF32(uint16(h)))
		high := float64(tensor.F16ToF32(uint16(h + 1)))
		if h == 0x7BFF {
			high = 65536
		}
		for _, at := range []float32{float32(low), float32((low + high) / 2)} {
			for _, x := range []float32{at, math.Nextafter32(at, 1e9), math.Nextafter32(at, -1e9)} {
				check(x)
				check(-x)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		if got, want := tensor.F32ToF16(x), float16.Fromfloat32(x).Bits(); got != want {
			t.Fatalf("%v: got %#04x, want %#04x", x, got, want)
		}
	})
}

func TestF32ToBF16(t *testing.T) {
	tests := []struct{ in, want uint32 }{
		{0x3F800000, 0x3F80}, {0x3F808000, 0x3F80}, {0x3F808001, 0x3F81}, {0x3F818000, 0x3F82}, {0x3F817FFF, 0x3F81},
		{0x7F7FFFFF, 0x7F80}, {0xFF7F7FFF, 0xFF7F}, {0x7F800000, 0x7F80}, {0x80000000, 0x8000}, {0x00008001, 0x0001},
		{0x7F800001, 0x7FC0}, {0xFFFFFFFF, 0xFFFF},
	}
	for _, test := range tests {
		if got := tensor.F32ToBF16(math.Float32frombits(test.in)); uint32(got) != test.want {
			t.Errorf("%#08x: got %#04x, want %#04x", test.in, got, test.want)
		}
	}
	for h := range 1 << 16 {
		x := tensor.BF16ToF32(uint16(h))
		if back := tensor.F32ToBF16(x); back != uint16(h) && !(x != x && back == uint16(h)|0x0040) {
			t.Fatalf("%#04x: comes back as %#04x", h, back)
		}
	}
}

func TestE8M0ToF32(t *testing.T) {
	for e := range 255 {
		if got, want := tensor.E8M0ToF32(uint8(e)), math.Ldexp(1, e-127); float64(got) != want {
			t.Errorf("%d: got %v, want %v", e, got, want)
		}
	}
	if got := tensor.E8M0ToF32(255); got == got {
		t.Errorf("255: got %v, want a NaN", got)
	}
}

func TestDecodeGolden(t *testing.T) {
	for _, golden := range goldenBlocks {
		block, err := hex.DecodeString(golden.block)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 2*len(golden.want)) // twice the block, to see that the second is found
		if err := tensor.Decode(got, append(block, block...), golden.d); err != nil {
			t.Fatal(err)
		}
		for i, x := range got {
			if want := float32(golden.want[i%len(golden.want)]) / golden.unit; x != want {
				t.Fatalf("%v element %d: got %v, want %v", golden.d, i, x, want)
			}
		}
	}
}

func TestEncodeGolden(t *testing.T) {
	for _, golden := range goldenEncodings {
		for d, want := range map[tensor.DType]string{tensor.Q4_0: golden.q4_0, tensor.Q8_0: golden.q8_0} {
			got := make([]byte, d.RowBytes(2*len(golden.row)))
			if err := tensor.Encode(got, append(golden.row[:32:32], golden.row...), d); err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(got) != want+want {
				t.Errorf("%v %s:\n got %x\nwant %s", d, golden.name, got, want+want)
			}
		}
	}
}

func TestEncodeIntegers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	row := []float32{0, 0.5, 1.5, -2.5, 127.4, 200, -200, inf, -inf, nan, 3e9, -3e9}
	for d, want := range map[tensor.DType][]float32{
		tensor.I8:  {0, 0, 2, -2, 127, 127, -128, 127, -128, 0, 127, -128},
		tensor.I32: {0, 0, 2, -2, 127, 200, -200, math.MaxInt32, math.MinInt32, 0, math.MaxInt32, math.MinInt32},
	} {
		data, got := make([]byte, d.RowBytes(len(row))), make([]float32, len(row))
		if err := tensor.Encode(data, row, d); err != nil {
			t.Fatal(err)
		}
		if err := tensor.Decode(got, data, d); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%v of %v: got %v, want %v", d, row[i], got[i], want[i])
			}
		}
	}
}

// encodableBlocks are the block types that Encode takes.
var encodableBlocks = slices.DeleteFunc(tensor.Types(), func(d tensor.DType) bool { return !d.Quantized() || !tensor.Encodable(d) })

func TestQuantiseRefusesWhatHasNoScale(t *testing.T) {
	for _, d := range encodableBlocks {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e9} {
			block := d.BlockElems()
			row := make([]float32, 3*block)
			row[2*block+6], row[2*block+16] = bad, 2e9
			err := tensor.Encode(make([]byte, d.RowBytes(len(row))), row, d)
			if !errors.Is(err, tensor.ErrNotFinite) || !strings.Contains(err.Error(), fmt.Sprintf("element %d", 2*block)) {
				t.Errorf("%v of %v: got error %v", d, bad, err)
			}
		}
	}
}

func TestQuantiseBlocksOfAlmostNothing(t *testing.T) {
	for _, d := range encodableBlocks {
		for _, largest := range []float32{0, math.SmallestNonzeroFloat32, -1e-40, 1e-30} {
			row, data, got := make([]float32, d.BlockElems()), make([]byte, d.BlockBytes()), make([]float32, d.BlockElems())
			row[3], row[5] = largest, largest/2
			if err := tensor.Encode(data, row, d); err != nil {
				t.Fatal(err)
			}
			if err := tensor.Decode(got, data, d); err != nil {
				t.Fatal(err)
			}
			for i, x := range got {
				if x != 0 {
					t.Errorf("%v of %v: element %d is %v, want 0", d, largest, i, x)
				}
			}
		}
	}
}

// TestEncodeWeighted: of normally distributed elements the searched types lose no more than a little above what they lost when this was
// written, which was no more than ggml's quantiser did (0.165, 0.083, 0.178, 0.228); with an importance, less where that is large.
func TestEncodeWeighted(t *testing.T) {
	const rows, cols = 8, 512
	rng := rand.New(rand.NewPCG(1, 2))
	row, importance := make([]float32, rows*cols), make([]float32, cols)
	for i := range row {
		row[i] = float32(rng.NormFloat64()) / 50
	}
	for c := range importance {
		importance[c] = float32(math.Exp(1.5 * rng.NormFloat64()))
	}
	// lost returns the error relative to the elements, both weighted by importance or not.
	lost := func(d tensor.DType, by *tensor.Importance, weighted bool) float64 {
		data, got := make([]byte, d.RowBytes(len(row))), make([]float32, len(row))
		if err := errors.Join(tensor.EncodeWeighted(data, row, d, by), tensor.Decode(got, data, d)); err != nil {
			t.Fatal(err)
		}
		var miss, size float64
		for i, x := range row {
			w := 1.0
			if weighted {
				w = float64(importance[i%cols])
			}
			miss += w * float64(got[i]-x) * float64(got[i]-x)
			size += w * float64(x) * float64(x)
		}
		return math.Sqrt(miss / size)
	}
	for d, limit := range map[tensor.DType]struct{ plain, ratio float64 }{
		tensor.Q3_K: {0.153, 0.88}, tensor.IQ4_XS: {0.08, 0.88}, tensor.IQ3_S: {0.139, 0.78}, tensor.IQ3_XXS: {0.187, 0.7},
		tensor.IQ4_NL: {0.08, 0.88}, tensor.Q4_K: {0.073, 0.9}, tensor.Q5_K: {0.037, 0.9}, tensor.Q6_K: {0.019, 0.95},
	} {
		plain, without, with := lost(d, nil, false), lost(d, nil, true), lost(d, importanceOf(t, 1, importance), true)
		if plain > limit.plain || with > limit.ratio*without {
			t.Errorf("%v: lost %.4f; of what is important %.4f, and %.4f where the encoder knows", d, plain, without, with)
		}
		t.Logf("%v: lost %.4f; of what is important %.4f, and %.4f where the encoder knows", d, plain, without, with)
	}
	if err := tensor.EncodeWeighted(make([]byte, 110), row[:256], tensor.Q3_K, importanceOf(t, 1, importance[:200])); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("importance of other columns: %v", err)
	}
}

// TestQuantisationError bounds the error of an element by the step of its block. The scale is rounded to F16, a relative error
// of 2⁻¹¹ that counts up to 8 or 127 steps; the middle of two steps adds half a step. In Q4_0 the end of the range opposite to
// the extreme is clamped at 7 steps, which costs up to a whole step.
func TestQuantisationError(t *testing.T) {
	limits := map[tensor.DType]struct{ steps, limit float64 }{
		tensor.Q4_0: {8, 1 + 8*0x1p-11},
		tensor.Q8_0: {127, 0.5 + 127*0x1p-11},
	}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]tensor.DType{tensor.Q4_0, tensor.Q8_0}).Draw(t, "type")
		row := rapid.SliceOfN(rapid.Float32Range(-1000, 1000), 32, 32).Draw(t, "row")
		row[0] += 0.01 // keeps the scale out of the subnormal F16 numbers, whose relative error is larger
		data, got := make([]byte, d.BlockBytes()), make([]float32, 32)
		if err := tensor.Encode(data, row, d); err != nil {
			t.Fatal(err)
		}
		if err := tensor.Decode(got, data, d); err != nil {
			t.Fatal(err)
		}
		var largest float64
		for _, x := range row {
			largest = max(largest, math.Abs(float64(x)))
		}
		step := largest / limits[d].steps
		if step < 0x1p-14 {
			return
		}
		for i := range row {
			if miss := math.Abs(float64(got[i]) - float64(row[i])); miss > limits[d].limit*step*(1+1e-6) {
				t.Fatalf("%v element %d: %v became %v, off by %v of step %v", d, i, row[i], got[i], miss, step)
			}
		}
	})
}

// TestEncodeRestoresWhatDecodeGave: what came from a type goes back to it unchanged. A block of Q4_0 or Q8_0 whose scale is zero can
// be spelled in many ways, so for these the values are compared and not the bytes.
func TestEncodeRestoresWhatDecodeGave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.I8, tensor.Q4_0, tensor.Q8_0}).Draw(t, "type")
		row := rapid.SliceOfN(rapid.Float32Range(-100, 100), 32, 32).Draw(t, "row")
		first, second := make([]byte, d.RowBytes(32)), make([]byte, d.RowBytes(32))
		values, again := make([]float32, 32), make([]float32, 32)
		for _, err := range []error{
			tensor.Encode(first, row, d), tensor.Decode(values, first, d),
			tensor.Encode(second, values, d), tensor.Decode(again, second, d),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !d.Quantized() && !bytes.Equal(first, second) {
			t.Fatalf("%v: %x became %x", d, first, second)
		}
		for i := range values {
			if values[i] != again[i] {
				t.Fatalf("%v element %d: %v became %v", d, i, values[i], again[i])
			}
		}
	})
}

// isNamed reports whether err is an error that a caller can test for.
func isNamed(err error) bool {
	return errors.Is(err, tensor.ErrShape) || errors.Is(err, tensor.ErrType)
}

func TestCodecErrors(t *testing.T) {
	tests := []struct {
		name        string
		n, size     int
		d           tensor.DType
		want        string
		encodeAlone bool
	}{
		{"no type", 1, 4, tensor.Invalid, "invalid", false},
		{"unknown type", 1, 4, tensor.DType(99), "dtype(99)", false},
		{"part of a block", 33, 36, tensor.Q4_0, "33 elements", false},
		{"short data", 2, 7, tensor.F32, "take 8 bytes, got 7", false},
		{"long data", 256, 211, tensor.Q6_K, "take 210 bytes, got 211", false},
		{"no encoder", 256, 82, tensor.IQ2_S, "can only be decoded", true},
	}
	for _, test := range tests {
		err := tensor.Encode(make([]byte, test.size), make([]float32, test.n), test.d)
		if !isNamed(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("encode, %s: got %v", test.name, err)
		}
		err = tensor.Decode(make([]float32, test.n), make([]byte, test.size), test.d)
		if test.encodeAlone {
			if err != nil {
				t.Errorf("decode, %s: got %v", test.name, err)
			}
		} else if !isNamed(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("decode, %s: got %v", test.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, golden := range goldenBlocks {
		block, _ := hex.DecodeString(golden.block)
		f.Add(uint8(golden.d), len(golden.want), block)
	}
	for d := range goldenChecksums {
		f.Add(uint8(d), d.BlockElems(), pseudoBlocks(d)[:d.BlockBytes()])
	}
	f.Add(uint8(tensor.F16), 1, []byte{0, 0x7C})
	f.Fuzz(func(t *testing.T, kind uint8, n int, src []byte) {
		if n < 0 || n > 1<<16 {
			return
		}
		d := tensor.DType(kind)
		values := make([]float32, n)
		if err := tensor.Decode(values, src, d); err != nil || !tensor.Encodable(d) {
			return
		}
		if err := tensor.Encode(make([]byte, len(src)), values, d); err != nil && !errors.Is(err, tensor.ErrNotFinite) {
			t.Fatal(err)
		}
	})
}
