package profile

import (
	"context"
	"fmt"
	"time"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
)

// NPU is how fast a device multiplies, beside the CPU.
type NPU struct {
	Driver string    `json:"driver"` // the name that it was opened by
	Device string    `json:"device"`
	Costs  npu.Costs `json:"costs"`
	CPU    npu.Costs `json:"cpu"` // for the same types of weights
}

// measureNPU measures a device that was opened by the given name.
func measureNPU(ctx context.Context, name string, d npu.Device, pool *kernels.Pool, duration time.Duration) (*NPU, error) {
	caps := d.Capabilities()
	m := &NPU{Driver: name, Device: caps.Device}
	var err error
	if m.Costs, err = offload.MeasureDevice(ctx, d, caps.Weights, duration/2); err != nil {
		return nil, fmt.Errorf("profile: %s: %w", name, err)
	}
	if m.CPU, err = offload.MeasureCPU(ctx, pool, caps.Weights, duration/2); err != nil {
		return nil, fmt.Errorf("profile: the CPU beside %s: %w", name, err)
	}
	return m, nil
}

func (n *NPU) check() error {
	if n.Driver == "" {
		return invalid("a device without a driver")
	}
	for _, c := range []npu.Costs{n.Costs, n.CPU} {
		if err := c.Check(); err != nil {
			return invalid("%v", err)
		}
	}
	return nil
}
