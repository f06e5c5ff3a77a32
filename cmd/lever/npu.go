package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/tensor"
	"github.com/spf13/pflag"

	// The drivers that --npu can name, besides opencl.
	_ "github.com/lever-go/lever/kernels/npu/hexagon"
	_ "github.com/lever-go/lever/kernels/npu/host"
	_ "github.com/lever-go/lever/kernels/npu/sim"
)

// npuFlags are the flags that say which device takes part and in what.
type npuFlags struct {
	device    string
	placed    string          // what the flag says
	placement lever.Placement // the same, since check
}

func (f *npuFlags) register(flags *pflag.FlagSet) {
	f.registerDevice(flags, "offload work to this device: ")
	flags.StringVar(&f.placed, "map", "", "what runs where, such as draft=cpu,verify=npu,head=ondemand-cpu (default: where it is faster)")
}

// registerDevice adds only the flag that names a device.
func (f *npuFlags) registerDevice(flags *pflag.FlagSet, help string) {
	flags.StringVar(&f.device, "npu", "", help+strings.Join(npu.Drivers(), ", ")+", or DRIVER:DEVICE, such as sim:mid-range")
}

// check reports flags that cannot be meant.
func (f *npuFlags) check() (err error) {
	driver, _, _ := strings.Cut(f.device, ":")
	switch {
	case f.device != "" && !slices.Contains(npu.Drivers(), driver):
		return cli.UsageErrorf("unknown driver %q; choose from %s", driver, strings.Join(npu.Drivers(), ", "))
	case f.placed == "":
		return nil
	case f.device == "":
		return cli.UsageErrorf("--map needs a device; name one with --npu")
	}
	if f.placement, err = lever.ParsePlacement(f.placed); err != nil {
		return cli.UsageError(err)
	}
	return nil
}

// open opens the device that is named. Where it is absent, open prints a line that says so and returns nil, so that everything
// runs on the CPU.
func (f *npuFlags) open(ctx context.Context) npu.Device {
	if f.device == "" {
		return nil
	}
	d, err := npu.Open(ctx, f.device)
	if err != nil {
		fmt.Fprintf(cli.Stderr, "lever: --npu %s is absent, everything runs on the CPU: %v\n", f.device, err)
		return nil
	}
	if r := d.Capabilities().Rounding; r == npu.RoundingVaries {
		fmt.Fprintf(cli.Stderr, "lever: --npu %s rounds a token's result differently from batch to batch: speculation may change the text\n", f.device)
	}
	return d
}

// printMeasuredNPU shows how fast a device and the CPU multiply.
func printMeasuredNPU(out io.Writer, n *profile.NPU) error {
	fmt.Fprintf(out, "\n%s (%s): a submit takes %.3f ms\n\n", n.Device, n.Driver, 1e3*n.Costs.Submit)
	costs := offload.NewCosts(n.CPU, n.Costs)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "weights\trows\tNPU ms/16 MiB\tCPU ms/16 MiB\t")
	for _, r := range n.Costs.Rates {
		if d, err := tensor.ParseDType(r.Type); err == nil && costs.Known(d) {
			t := costs.Times(d, 16<<20, r.Rows)
			fmt.Fprintf(table, "%s\t%d\t%.3f\t%.3f\t\n", r.Type, r.Rows, 1e3*t.NPU, 1e3*t.CPU)
		}
	}
	return table.Flush()
}

// printNPU says what the device did.
func printNPU(s *lever.NPUStats) {
	if s == nil {
		return
	}
	fmt.Fprintf(cli.Stderr, "\nNPU %s (%s): %s in %.2f s", s.Device, s.Placement, plural.Of(s.Products, "product"), s.Seconds)
	if s.Fallbacks > 0 {
		fmt.Fprintf(cli.Stderr, "; %d on the CPU in its place", s.Fallbacks)
	}
	if s.Lost {
		fmt.Fprint(cli.Stderr, "; its session was lost")
	}
}
