package offload

import (
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// Place says where products run.
type Place uint8

// Places.
const (
	Auto Place = iota // where they take less time
	CPU
	NPU
)

// String returns the name by which command lines know p.
func (p Place) String() string { return [...]string{"auto", "cpu", "npu"}[min(p, NPU)] }

// maxRows is the number of rows up to which times are tabulated; more take as many times longer as they are more.
const maxRows = 256

// table is the seconds per byte of weights of one type, by rows, on the CPU and on the device.
type table struct{ cpu, npu []float64 }

func tabulate(rates []npu.Rate, at func([]npu.Rate, int) float64) []float64 {
	t := make([]float64, maxRows+1)
	for rows := 1; rows <= maxRows; rows++ {
		t[rows] = at(rates, rows)
	}
	return t
}

// interpolated returns the seconds per byte between two measurements.
func interpolated(rates []npu.Rate, rows int) float64 {
	i := 0
	for i < len(rates) && rates[i].Rows < rows {
		i++
	}
	switch {
	case i == 0:
		return 1 / rates[0].BytesPerSecond
	case i == len(rates):
		last := rates[i-1]
		return float64(rows) / float64(last.Rows) / last.BytesPerSecond
	}
	a, b := rates[i-1], rates[i]
	part := float64(rows-a.Rows) / float64(b.Rows-a.Rows)
	return (1-part)/a.BytesPerSecond + part/b.BytesPerSecond
}

// padded returns the seconds per byte of batches.
func padded(rates []npu.Rate, rows int) (seconds float64) {
	for rows > 0 {
		i := 0
		for i < len(rates)-1 && rates[i].Rows < rows {
			i++
		}
		seconds += 1 / rates[i].BytesPerSecond
		rows -= rates[i].Rows
	}
	return seconds
}

// perByte returns an entry of a table.
func perByte(t []float64, rows int) float64 {
	if rows <= maxRows {
		return t[rows]
	}
	return t[maxRows] * float64(rows) / maxRows
}

// Times are what a group of products takes on the CPU and on the device, in seconds.
type Times struct{ CPU, NPU float64 }

// Costs prices groups of products on a CPU and a device, which need not be there.
type Costs struct {
	submit float64
	tables map[tensor.DType]*table // of the types that both multiply with
}

// NewCosts returns the costs of a CPU and a device, whose rates are those of its batch sizes.
func NewCosts(cpu, device npu.Costs) Costs {
	c := Costs{submit: device.Submit, tables: map[tensor.DType]*table{}}
	for _, r := range device.Rates {
		d, err := tensor.ParseDType(r.Type)
		if err != nil || c.Known(d) || cpu.Of(d) == nil {
			continue
		}
		c.tables[d] = &table{tabulate(cpu.Of(d), interpolated), tabulate(device.Of(d), padded)}
	}
	return c
}

// Known reports whether the CPU and the device multiply with weights of type d.
func (c *Costs) Known(d tensor.DType) bool { return c.tables[d] != nil }

// Times returns what a group takes whose weights are of type d, which is [Costs.Known], and of so many bytes.
func (c *Costs) Times(d tensor.DType, bytes, rows int) Times {
	t := c.tables[d]
	return Times{float64(bytes) * perByte(t.cpu, rows), c.submit + float64(bytes)*perByte(t.npu, rows)}
}

// Best returns the place that is faster, and its time.
func (t Times) Best() (Place, float64) {
	if t.NPU < t.CPU {
		return NPU, t.NPU
	}
	return CPU, t.CPU
}

// Of returns the time at a place; Auto is the faster one.
func (t Times) Of(p Place) float64 {
	switch p {
	case CPU:
		return t.CPU
	case NPU:
		return t.NPU
	}
	return min(t.CPU, t.NPU)
}
