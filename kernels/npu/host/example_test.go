package host_test

import (
	"fmt"

	"github.com/lever-go/lever/kernels/npu/host"
)

// The example of package npu shows how a device is used.
func Example() {
	d := host.New()
	defer d.Close()
	c := d.Capabilities()
	fmt.Println("it pads 3 rows to", c.Batch(3), "and 20 to", c.Batch(20))
	// Output: it pads 3 rows to 4 and 20 to 32
}
