package offload_test

import (
	"fmt"

	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/tensor"
)

// Where a phone computes a matrix of 4096 × 4096, by the number of rows.
func ExampleCosts_Times() {
	phone, err := profiles.Load("mid-range")
	if err != nil {
		fmt.Println(err)
		return
	}
	costs := offload.NewCosts(phone.CPU, phone.NPU.Costs)
	bytes := 4096 * 4096 / 32 * 18 // 18 bytes for 32 weights
	for _, rows := range []int{1, 8, 64} {
		place, seconds := costs.Times(tensor.Q4_0, bytes, rows).Best()
		fmt.Printf("%d rows: %v, %.1f ms\n", rows, place, 1e3*seconds)
	}
	// Output:
	// 1 rows: cpu, 0.8 ms
	// 8 rows: npu, 1.0 ms
	// 64 rows: npu, 2.0 ms
}
