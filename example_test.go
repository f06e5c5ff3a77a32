package lever_test

import (
	"context"
	"fmt"
	"os"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
)

// The demo pair stands for models of your own.
func ExampleEngine_Generate() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lever-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	pair, err := demo.Unpack(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := lever.Open(ctx, lever.Config{Model: pair.Target, Draft: pair.Draft})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	result, err := engine.Generate(ctx, lever.Request{
		Prompt:    "Tom has 3 apples and buys 4 more. How many apples does he have?",
		MaxTokens: 20,
	}, func(text string) error {
		_, err := fmt.Print(text)
		return err
	})
	fmt.Printf("\n%s %v\n", result.Finish, err)
	// Output:
	// He has 4 apples because 4 x 2 = <<4*2=8>>8
	// length <nil>
}
