// Command lever-distill trains the early-exit predictor of a model and writes it to the model's store. It is a program of its own so that
// command lever need not link what trains.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lever-go/lever/distill"
	"github.com/lever-go/lever/internal/plural"
)

const usage = `Usage: lever-distill --model STORE --draft MODEL [--text FILE|FOLDER]... [flags]

Train the predictor by which lever drops drafted tokens half-way through the target, and write it to STORE. The target answers prompts and runs
over the text; samples and checkpoints go to the folder --work, from which an interrupted training goes on.

Flags:
`

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes one command line and returns the exit status: 0, 1 for failure or 2 for bad usage.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("lever-distill", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	var o distill.Options
	flags.StringVar(&o.Model, "model", "", "the target, a store; the predictor is written to it")
	flags.StringVar(&o.Draft, "draft", "", "the draft model that the target is used with")
	flags.Func("text", "file or folder of text to run the target over (can be repeated)", func(path string) error {
		o.Text = append(o.Text, path)
		return nil
	})
	prompts := flags.String("prompts", "", "file of prompts that the target answers, one JSON object {\"prompt\": …} a line (default: 640 of this project's own)")
	flags.StringVar(&o.Work, "work", "lever-distill.work", "folder for samples and checkpoints")
	flags.IntVar(&o.Answer, "answer", 0, "most tokens of an answer (default 120)")
	flags.IntVar(&o.TextTokens, "text-tokens", 0, "most tokens taken from the text (default 20000)")
	flags.IntVar(&o.Rank, "rank", 0, "rank of the predictor, a multiple of 32 (default 64)")
	flags.Float64Var(&o.Temperature, "temperature", 0, "temperature of the distillation loss (default 1.5)")
	flags.IntVar(&o.Epochs, "epochs", 0, "most epochs of each of the two stages (default 9)")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of everything that is left to chance")
	flags.IntVar(&o.Threads, "threads", 0, "worker threads of the models (default: one per performance core)")
	asJSON := flags.Bool("json", false, "print one JSON object")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0 || o.Model == "" || o.Draft == "":
		flags.Usage()
		return 2
	}
	o.Progress = progress()
	err := train(ctx, o, *prompts, *asJSON)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted; the same command goes on from here")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lever-distill:", strings.TrimPrefix(err.Error(), "distill: "))
		return 1
	}
	return 0
}

func train(ctx context.Context, o distill.Options, prompts string, asJSON bool) (err error) {
	if prompts != "" {
		if o.Prompts, err = distill.LoadPrompts(prompts); err != nil {
			return err
		}
	}
	report, err := distill.Run(ctx, o)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	fmt.Printf("%s\n", plural.Of(report.Samples, "sample"))
	for _, e := range report.Exits {
		fmt.Printf("after layer %d: held-out loss %.3f, agrees with the model on %.0f%%; pruning there saves %.1f%% of the work of trees of 64 (by the draft alone %.1f%%)\n",
			e.Layer, e.Loss, 100*e.Agreement, 100*e.Saved, 100*e.SavedBlind)
	}
	fmt.Printf("wrote the predictors after layers %v to %s; together they save %.1f%%\n", report.Chosen, o.Model, 100*report.Saved)
	return nil
}

// progress returns a callback that prints a line for each task, and another every ten seconds.
func progress() func(task string, done, total int) {
	var last string
	var shown time.Time
	return func(task string, done, total int) {
		if now := time.Now(); task != last || now.Sub(shown) > 10*time.Second || done == total {
			last, shown = task, now
			fmt.Fprintf(os.Stderr, "%d of %d %s\n", done, total, task)
		}
	}
}
