package hexagon_test

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/kernels/npu/hexagon"
)

// Only on a phone that lets a program in does it print more than why not.
func Example() {
	d, err := hexagon.Open(context.Background(), fastrpc.System())
	if err != nil {
		fmt.Println("everything runs on the CPU:", err)
		return
	}
	defer d.Close()
	fmt.Println(d.Capabilities().Device, "takes", d.Capabilities().Weights)
}
