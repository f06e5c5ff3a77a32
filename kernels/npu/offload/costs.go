package offload

import (
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// Place says on which engine products run.
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

// table is the seconds per byte of weights of one type, by rows; nil where an engine does not multiply with it.
type table struct{ cpu, npu []float64 }

func newTable(cpu, device []npu.Rate) table {
	return table{tabulate(cpu, interpolated), tabulate(device, padded)}
}

func tabulate(rates []npu.Rate, at func([]npu.Rate, int) float64) []float64 {
	if len(rates) == 0 {
		return nil
	}
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

// perByte returns an entry of a tabulated engine.
func perByte(t []float64, rows int) float64 {
	if rows <= maxRows {
		return t[rows]
	}
	return t[maxRows] * float64(rows) / maxRows
}

// Times are what a group of products takes on each engine, in seconds.
type Times struct{ CPU, NPU float64 }

// Costs prices groups of products, on real or described engines.
type Costs struct {
	submit float64
	tables [16]table // by type
}

// NewCosts returns the costs of a CPU and a device, whose rates are those of its batch sizes.
func NewCosts(cpu, device npu.Costs) Costs {
	c := Costs{submit: device.Submit}
	for d := range tensor.DType(len(c.tables)) {
		c.tables[d] = newTable(cpu.Of(d), device.Of(d))
	}
	return c
}

// Known reports whether both engines multiply with weights of type d.
func (c *Costs) Known(d tensor.DType) bool {
	return int(d) < len(c.tables) && c.tables[d].cpu != nil && c.tables[d].npu != nil
}

// Times returns what a group takes whose weights are of type d, which is [Costs.Known], and of so many bytes.
func (c *Costs) Times(d tensor.DType, bytes, rows int) Times {
	t := &c.tables[d]
	return Times{float64(bytes) * perByte(t.cpu, rows), c.submit + float64(bytes)*perByte(t.npu, rows)}
}

// Best returns the engine that is faster, and its time.
func (t Times) Best() (Place, float64) {
	if t.NPU < t.CPU {
		return NPU, t.NPU
	}
	return CPU, t.CPU
}

// Of returns the time on an engine; Auto is the faster one.
func (t Times) Of(p Place) float64 {
	switch p {
	case CPU:
		return t.CPU
	case NPU:
		return t.NPU
	}
	return min(t.CPU, t.NPU)
}
