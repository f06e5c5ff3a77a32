// Command distill trains the predictor of a store, by which drafted tokens are dropped half-way through the target:
//
//	go run ./examples/distill -model llama-8b.lever -draft llama-1b.lever corpus/
//
// The text should be like what the model will be used for. What has been computed is kept in llama-8b.lever.work: after an interrupt, the
// same command goes on.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/lever-go/lever/distill"
)

func main() {
	log.SetFlags(0)
	model := flag.String("model", "", "the target, a store")
	draft := flag.String("draft", "", "its draft, a store")
	prompts := flag.Int("prompts", 640, "questions that the target answers")
	answer := flag.Int("answer", 120, "most tokens of an answer")
	exit := flag.Int("exit", -1, "the layer after which a predictor is tried, counted from 0 (default: several are)")
	epochs := flag.Int("epochs", 9, "most epochs of each stage of the training")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: distill -model TARGET.lever -draft DRAFT.lever TEXT...")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var exits []int // of which the default depends on the model
	if *exit >= 0 {
		exits = []int{*exit}
	}
	report, err := distill.Run(ctx, distill.Options{
		Model:   *model,
		Draft:   *draft,
		Work:    *model + ".work",
		Prompts: distill.OwnPrompts(*prompts, 1),
		Answer:  *answer,
		Exits:   exits,
		Epochs:  *epochs,
		Text:    flag.Args(),
		Seed:    1,
		Progress: func(task string, done, total int) {
			fmt.Fprintf(os.Stderr, "\r%d of %d %s\x1b[K", done, total, task)
		},
	})
	fmt.Fprintln(os.Stderr)
	if err != nil {
		log.Fatal(err)
	}
	for _, exit := range report.Exits {
		fmt.Printf("after layer %d: %.1f%% of the work saved, %.1f%% by the draft alone\n", exit.Layer, 100*exit.Saved, 100*exit.SavedBlind)
	}
	fmt.Println("chosen: the exits after layers", report.Chosen)
}
