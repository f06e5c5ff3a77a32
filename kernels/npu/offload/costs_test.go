package offload_test

import (
	"math"
	"testing"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/tensor"
)

func rates(d string, rows []int, bytesPerSecond ...float64) (r []npu.Rate) {
	for i, n := range rows {
		r = append(r, npu.Rate{Type: d, Rows: n, BytesPerSecond: bytesPerSecond[i]})
	}
	return r
}

func TestTimes(t *testing.T) {
	c := offload.NewCosts(
		npu.Costs{Rates: rates("q8_0", []int{1, 4}, 1e6, 5e5)},
		npu.Costs{Submit: 0.5, Rates: rates("q8_0", []int{2, 8}, 1e7, 2e6)},
	)
	for _, test := range []struct {
		rows     int
		cpu, npu float64
	}{
		{1, 1, 0.5 + 0.1},              // padded to 2
		{2, 4. / 3, 0.5 + 0.1},         // between two measurements
		{3, 5. / 3, 0.5 + 0.5},         // padded to 8
		{4, 2, 0.5 + 0.5},              //
		{9, 4.5, 0.5 + 0.5 + 0.1},      // a batch of 8 and one of 2
		{300, 150, 0.5 + 0.5*37 + 0.5}, // beyond the table
	} {
		got := c.Times(tensor.Q8_0, 1_000_000, test.rows)
		if math.Abs(got.CPU/test.cpu-1) > 0.02 || math.Abs(got.NPU/test.npu-1) > 0.02 {
			t.Errorf("%d rows: %+v, want %v and %v", test.rows, got, test.cpu, test.npu)
		}
		place, best := got.Best()
		if best != min(got.CPU, got.NPU) || got.Of(place) != best || got.Of(offload.Auto) != best {
			t.Errorf("%d rows: %v is best of %+v", test.rows, place, got)
		}
	}
	if c.Known(tensor.Q4_0) || !c.Known(tensor.Q8_0) {
		t.Error("types that are known")
	}
}

// A phone's CPU takes small products of one row, its NPU large ones of many, and padding to a batch is seen.
func TestMidRangePhoneSplitsTheWork(t *testing.T) {
	p, err := profiles.Load("mid-range")
	if err != nil {
		t.Fatal(err)
	}
	c := offload.NewCosts(p.CPU, p.NPU.Costs)
	const bytes = 4 << 20
	for rows, want := range map[int]offload.Place{1: offload.CPU, 4: offload.CPU, 16: offload.NPU, 64: offload.NPU} {
		if got, _ := c.Times(tensor.Q4_0, bytes, rows).Best(); got != want {
			t.Errorf("%d rows: %v, want %v: %+v", rows, got, want, c.Times(tensor.Q4_0, bytes, rows))
		}
	}
	if a, b := c.Times(tensor.Q4_0, bytes, 9), c.Times(tensor.Q4_0, bytes, 32); a.NPU != b.NPU {
		t.Errorf("9 rows take %v, the batch of 32 that they are padded to %v", a.NPU, b.NPU)
	}
}
