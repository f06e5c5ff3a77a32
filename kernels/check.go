package kernels

import "fmt"

// checkSame panics unless the operands of an element-wise operation have equal lengths.
func checkSame(op string, dst, src int) {
	if dst != src {
		panic(fmt.Sprintf("kernels: %s: lengths differ: %d != %d", op, dst, src))
	}
}
