package opencl_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/opencl"
	"github.com/lever-go/lever/tensor"
)

// BenchmarkMatMul multiplies a part of the size that streams yield, on the device and with the CPU's kernels.
func BenchmarkMatMul(b *testing.B) {
	const rows, k = 1024, 4096
	for _, d := range types {
		rng := newRand()
		w := randomMatrix(b, rng, d, rows, k, func() uint16 { return tensor.F32ToF16(float32(rng.NormFloat64() * 0.02)) })
		for _, n := range []int{1, 4, 16, 32} {
			x := normal(rng, n*k)
			measure := func(impl string, start func(b *testing.B) func()) {
				b.Run(fmt.Sprintf("fmt=%v/shape=%dx%d/n=%d/impl=%s", d, rows, k, n, impl), func(b *testing.B) {
					run := start(b)
					run() // PoCL compiles a kernel when it is launched first
					b.SetBytes(int64(len(w.Data)))
					for b.Loop() {
						run()
					}
					b.ReportMetric(float64(b.N)*rows*k*float64(n)/b.Elapsed().Seconds()/1e9, "GMAC/s")
				})
			}
			for _, lanes := range []int{tensor.TileRows, 1} {
				measure(fmt.Sprintf("opencl-%d", lanes), func(b *testing.B) func() {
					d, err := opencl.OpenLanes("", lanes)
					if err != nil {
						b.Skip(err)
					}
					device := newBench(b, d, 4*n*k)
					p := device.compile(w, n)
					copy(floats(device.x, len(x)), x)
					device.must(device.x.Flush(0, 4*len(x)))
					operands := npu.Operands{W: w, X: device.x, Y: device.y}
					return func() {
						e, err := p.Submit(b.Context(), n, operands)
						device.must(err)
						device.must(e.Wait(b.Context()))
					}
				})
			}
			for _, set := range []string{"go", kernels.Sets()[len(kernels.Sets())-1]} {
				measure(set, func(b *testing.B) func() {
					pool := kerneltest.Pool(b, kerneltest.Named(b, set), 0)
					dst := make([]float32, n*rows)
					var in kernels.Input
					return func() {
						in.Reset(x, n, k)
						kernels.MatMul(pool, dst, rows, w, &in)
					}
				})
			}
		}
	}
}
