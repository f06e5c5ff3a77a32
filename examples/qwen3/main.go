// Command qwen3 holds a conversation of several turns with Qwen3-8B from flash and Qwen3-0.6B as its draft, through package lever. Thoughts
// are dimmed on a terminal. Each argument is a message; later turns use the keys and values of the earlier ones.
//
//	go run ./examples/qwen3 -model qwen-8b.lever -draft qwen-0.6b.lever -dram 2048 "Name a prime above 90." "And the next one?"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tokenizer"
)

func main() {
	var config lever.Config
	flag.StringVar(&config.Model, "model", "", "target: a store, a Hugging Face folder or a GGUF file")
	flag.StringVar(&config.Draft, "draft", "", "small model with the same tokens; without one, decoding is plain")
	dram := flag.Int64("dram", 0, "MiB of memory for the target's weights; the rest is streamed; 0 keeps all in memory")
	maxTokens := flag.Int("max-tokens", 2048, "most tokens of an answer, thoughts included")
	noThink := flag.Bool("no-think", false, "answer without thinking first")
	seed := flag.Uint64("seed", 1, "the same seed gives the same answers")
	flag.Parse()
	if config.Model == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, `usage: qwen3 -model qwen-8b.lever [-draft qwen-0.6b.lever] [-dram MiB] "first message" ["second message" ...]`)
		os.Exit(2)
	}
	config.DRAM = *dram << 20
	request := lever.Request{NoThinking: *noThink, MaxTokens: *maxTokens, Sampling: settings(*noThink, *seed)}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := talk(ctx, config, request, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "qwen3:", strings.TrimPrefix(err.Error(), "lever: "))
		os.Exit(1)
	}
}

// settings is what Qwen3's model card recommends. It warns of greedy decoding while thinking, which may repeat itself without end.
func settings(noThink bool, seed uint64) sampling.Options {
	if noThink {
		return sampling.Options{Temperature: 0.7, TopP: 0.8, TopK: 20, Seed: seed}
	}
	return sampling.Options{Temperature: 0.6, TopP: 0.95, TopK: 20, Seed: seed}
}

func talk(ctx context.Context, config lever.Config, request lever.Request, messages []string) (err error) {
	engine, err := lever.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()

	for _, message := range messages {
		request.Messages = append(request.Messages, tokenizer.Message{Role: "user", Content: message})
		answer, result, err := turn(ctx, engine, request)
		if err != nil {
			return err
		}
		// Qwen3's template leaves thoughts of earlier turns out of the prompt, as the model was trained. So a turn after a thought is
		// taken in again from there on, and one without thoughts goes on where the models are.
		request.Messages = append(request.Messages, answer)
		fmt.Fprintf(os.Stderr, "tokens %d, %.1f/s, %.2f a pass; %d of %d prompt tokens were still there (%s)\n", result.Tokens, result.TokensPerSecond,
			result.AcceptedPerPass, result.ReusedTokens, result.PromptTokens, result.Finish)
	}
	return nil
}

// turn shows one answer as it comes, and returns it as the message that the conversation goes on with.
func turn(ctx context.Context, engine *lever.Engine, request lever.Request) (tokenizer.Message, lever.Result, error) {
	// Some templates begin the thought themselves, so the splitter must see the prompt. The engine renders the same one.
	prompt, err := engine.Chat(ctx, request)
	if err != nil {
		return tokenizer.Message{}, lever.Result{}, err
	}
	var thought, answer strings.Builder
	show := func(t, a string) error {
		thought.WriteString(t)
		answer.WriteString(a)
		return errors.Join(printThought(t), printAnswer(a, thought.Len() > 0 && answer.Len() == len(a)))
	}
	thoughts := tokenizer.NewThoughts(prompt)
	result, err := engine.Generate(ctx, request, func(text string) error { return show(thoughts.Next(text)) })
	err = errors.Join(err, show(thoughts.Flush()))
	fmt.Println()
	return tokenizer.Message{Role: "assistant", Content: answer.String(), Reasoning: thought.String()}, result, err
}

var terminal = term.IsTerminal(int(os.Stdout.Fd()))

// printThought writes text dimmed to a terminal, and to standard error where standard output goes elsewhere: it is not the answer.
func printThought(text string) (err error) {
	switch {
	case text == "":
	case terminal:
		_, err = fmt.Print("\x1b[2m", text, "\x1b[0m")
	default:
		_, err = fmt.Fprint(os.Stderr, text)
	}
	return err
}

// printAnswer writes text, and an empty line before it where it is the first after a thought.
func printAnswer(text string, afterThought bool) error {
	if text == "" {
		return nil
	}
	if afterThought && terminal {
		text = "\n\n" + text
	}
	_, err := fmt.Print(text)
	return err
}
