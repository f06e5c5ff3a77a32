package simulate_test

import (
	"fmt"

	"github.com/lever-go/lever/bench/simulate"
)

// The phones and pairs of models that figures are drawn for.
func Example() {
	for _, d := range simulate.Phones {
		fmt.Println(d.Name)
	}
	for _, t := range simulate.Targets {
		fmt.Printf("%s, %.0f %% in memory, drafted by %s\n", t.Name, 100*t.InMemory, t.Draft)
	}
	// Output:
	// UFS 4 measured, NPU
	// UFS 4 measured, CPU
	// UFS 4 at best, NPU
	// UFS 3.1, NPU
	// mid-range, CPU
	// llama-3.1-8b, 25 % in memory, drafted by llama-3.2-1b
	// qwen3-8b, 25 % in memory, drafted by qwen3-0.6b
	// qwen3-14b, 25 % in memory, drafted by qwen3-0.6b
}
