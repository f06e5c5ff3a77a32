//go:build !(linux && opencl)

package main

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/kernels/npu"
)

// A program with the driver is linked to the system's C library, which opens OpenCL for it, and takes some 7 MiB more. So it is left out unless
// asked for.
func init() {
	npu.Register("opencl", func(context.Context, string) (npu.Device, error) {
		return nil, fmt.Errorf("opencl: this program is built without the driver, which is for Linux: go build -tags opencl ./cmd/lever: %w", npu.ErrUnsupported)
	})
}
