// Command distill trains the predictor of a store, by which drafted tokens are dropped half-way through the target:
//
//	go run ./examples/distill TARGET.lever DRAFT.lever TEXT...
//
// The text should be like what the model will be used for.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/lever-go/lever/distill"
)

func main() {
	if len(os.Args) < 4 {
		log.Fatal("usage: distill TARGET.lever DRAFT.lever TEXT...")
	}
	report, err := distill.Run(context.Background(), distill.Options{
		Model: os.Args[1],
		Draft: os.Args[2],
		Text:  os.Args[3:],
		Work:  os.Args[1] + ".work",
		Seed:  1,
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
