// Command tools lets a model call Go functions: it asks for them by name, with arguments that satisfy the schema of a struct, and answers with what
// they return.
//
//	go run ./examples/tools -model qwen3-8b.lever -draft qwen3-0.6b.lever "What is 1234 times 5678, and which day is today?"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/toolcall"
)

type product struct {
	A int `json:"a" jsonschema:"one factor"`
	B int `json:"b" jsonschema:"the other factor"`
}

type place struct {
	Zone string `json:"zone,omitempty" jsonschema:"a time zone such as Europe/Rome; if absent, the local one"`
}

func main() {
	var config lever.Config
	flag.StringVar(&config.Model, "model", "", "a store, a Hugging Face folder or a GGUF file, of a model that can call tools")
	flag.StringVar(&config.Draft, "draft", "", "small model with the same tokens")
	flag.Func("template", "file with a chat template in place of the model's own", func(path string) error {
		text, err := os.ReadFile(path)
		config.ChatTemplate = string(text)
		return err
	})
	must := flag.Bool("must", false, "the first answer must be a call")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := ask(ctx, config, *must, strings.Join(flag.Args(), " ")); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func ask(ctx context.Context, config lever.Config, must bool, question string) (err error) {
	multiply, err := lever.NewFunction("multiply", "Multiplies two numbers.", func(_ context.Context, p product) (int, error) { return p.A * p.B, nil })
	if err != nil {
		return err
	}
	today, err := lever.NewFunction("get_date", "Tells the day and the time.", func(_ context.Context, p place) (string, error) {
		zone, err := time.LoadLocation(p.Zone)
		return time.Now().In(zone).Format(time.RFC1123), err
	})
	if err != nil {
		return err
	}
	engine, err := lever.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	request := lever.Request{Prompt: question, MaxTokens: 512, ToolChoice: toolcall.Choice{Required: must}}
	messages, result, err := engine.Converse(ctx, request, []lever.Function{multiply, today}, nil)
	for _, m := range messages {
		if m.Reasoning != "" {
			fmt.Printf("%s thinks: %s\n", m.Role, m.Reasoning)
		}
		for _, call := range m.ToolCalls {
			fmt.Printf("calls %s %s\n", call.Name, call.Arguments)
		}
		if m.Content != "" {
			fmt.Printf("%s: %s\n", m.Role, m.Content)
		}
	}
	switch result.Finish {
	case spec.FinishLength:
		fmt.Printf("(cut after %d tokens)\n", result.Tokens)
	case spec.FinishContext:
		fmt.Printf("(cut: the context of %d tokens is full)\n", engine.Context())
	}
	return err
}
