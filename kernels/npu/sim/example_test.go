package sim_test

import (
	"fmt"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/kernels/npu/sim"
	"github.com/lever-go/lever/tensor"
)

// A program for another batch size is refused as the phone would refuse it.
func ExampleNew() {
	phone, err := profiles.Load("mid-range")
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := sim.New(sim.Options{Profile: phone, Virtual: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	caps := d.Capabilities()
	fmt.Println("batches", caps.Batches)
	_, err = d.Compile(npu.Product{Type: tensor.Q4_0, Rows: 4096, Cols: 4096}, 3)
	fmt.Println(err)
	p, err := d.Compile(npu.Product{Type: tensor.Q4_0, Rows: 4096, Cols: 4096}, caps.Batch(3))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("busy for", d.Busy(), p.Close())
	// Output:
	// batches [1 8 32 64]
	// sim: batch of 3, there are [1 8 32 64]: not supported by the device
	// busy for 0s <nil>
}
