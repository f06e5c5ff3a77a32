package npu

import (
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// Costs is how fast a device or the CPU multiplies, by which package offload decides where products run. A driver that knows its device's costs
// is a [Coster]; those of others are measured.
type Costs struct {
	// Submit is the seconds from a Submit to the end of its Wait where there is next to nothing to compute.
	Submit float64 `json:"submit_seconds"`
	// Rates by type and rows. For each type they are in ascending order of rows.
	Rates []Rate `json:"rates"`
}

// Rate is the speed of products with packed matrices of one type.
type Rate struct {
	Type string `json:"type"` // as tensor.DType spells it
	Rows int    `json:"rows"` // of the batch
	// BytesPerSecond of weights that are multiplied with all rows of the batch: the memory's speed where few rows make that the bound, and the
	// less the more rows there are to compute.
	BytesPerSecond float64 `json:"bytes_per_second"`
}

// Coster is a [Device] whose costs are known without measuring.
type Coster interface {
	// Costs returns them; the rows of the rates are the batch sizes.
	Costs() Costs
}

// Check reports what is wrong with the figures.
func (c *Costs) Check() error {
	if !(c.Submit >= 0) || math.IsInf(c.Submit, 0) {
		return fmt.Errorf("npu: costs: a submit of %v s", c.Submit)
	}
	if len(c.Rates) == 0 {
		return fmt.Errorf("npu: costs: no rates")
	}
	last := map[string]int{}
	for _, r := range c.Rates {
		if _, err := tensor.ParseDType(r.Type); err != nil {
			return fmt.Errorf("npu: costs: %w", err)
		}
		if r.Rows <= last[r.Type] || !(r.BytesPerSecond > 0) || math.IsInf(r.BytesPerSecond, 0) {
			return fmt.Errorf("npu: costs: %v bytes per second of %s with %d rows, after %d rows", r.BytesPerSecond, r.Type, r.Rows, last[r.Type])
		}
		last[r.Type] = r.Rows
	}
	return nil
}

// Of returns the rates of one type; nil if it is not among them.
func (c *Costs) Of(d tensor.DType) []Rate {
	name := d.String()
	from := slices.IndexFunc(c.Rates, func(r Rate) bool { return r.Type == name })
	if from < 0 {
		return nil
	}
	to := from
	for to < len(c.Rates) && c.Rates[to].Type == name {
		to++
	}
	return c.Rates[from:to]
}
