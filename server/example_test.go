package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/server"
)

// The demo pair stands for models of your own.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
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

	s, err := server.New(server.Options{Engine: engine, Model: "demo"})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, listener) }()

	response, err := http.Post("http://"+listener.Addr().String()+"/v1/chat/completions", "application/json", strings.NewReader(`{
		"messages": [{"role": "user", "content": "Tom has 3 apples and buys 4 more. How many apples does he have?"}],
		"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {
			"type": "object", "required": ["fruit"], "properties": {"fruit": {"enum": ["apples", "pears"]}}}}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	var answer struct {
		Choices []struct {
			Message struct{ Content string }
		}
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	fmt.Println(response.Status, answer.Choices[0].Message.Content, err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// 200 OK {"fruit": "apples"} <nil>
	// <nil>
}
