package inflate_test

import (
	"fmt"

	"github.com/lever-go/lever/bench/inflate"
)

func ExampleShapeOf() {
	s, err := inflate.ShapeOf("llama-3.1-8b")
	fmt.Println(s.Layers, "layers of width", s.Width, err)
	_, err = inflate.ShapeOf("llama-9b")
	fmt.Println(err)
	// Output:
	// 32 layers of width 4096 <nil>
	// inflate: no shape "llama-9b": choose from same, llama-3.1-8b, llama-3.2-1b, llama-3.2-3b, qwen3-0.6b, qwen3-8b, qwen3-14b, mid, qwen3-30b-a3b, mid-draft, small-moe
}
