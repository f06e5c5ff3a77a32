package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
	"github.com/spf13/cobra"
)

func newRunCommand() *cobra.Command {
	var flags modelFlags
	var raw, asJSON bool
	var files []string
	cmd := &cobra.Command{
		Use:   "run PROMPT",
		Short: "Answer one prompt",
		Long: `Answer one prompt. Text streams to standard output, statistics go to standard error.

Without --model a pair of tiny demo models, embedded in this program, answers. They have the right shape and the wrong facts.`,
		Example: `  lever run "Janet has 3 ducks. How many eggs does she get?"
  lever run --model llama-8b.lever --draft llama-1b.lever --dram 2GiB "Why is the sky blue?"
  lever run --raw --max-tokens 100 "def fibonacci(n):"
  lever run - < question.txt
  lever run --file notes.txt --file plan.md "What is missing in the plan?"`,
		Args:              cli.ExactArgs(1, "one prompt, in quotes, or - for standard input"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			before, err := readFiles(files)
			if err != nil {
				return err
			}
			return runPrompt(cmd.Context(), flags, before, args[0], raw, asJSON)
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().StringArrayVar(&files, "file", nil, "put a text file before the prompt, with its name (can be repeated)")
	cmd.Flags().BoolVar(&raw, "raw", false, "continue the prompt as plain text, without a chat template")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with text and statistics instead of streaming text")
	return cmd
}

// runOutput is what run --json prints.
type runOutput struct {
	lever.Result
	Policy string `json:"policy"`
	Prune  string `json:"prune"` // as asked for; no_pruning says if that could not be
}

func runPrompt(ctx context.Context, flags modelFlags, before, arg string, raw, asJSON bool) error {
	prompt, err := readPrompt(ctx, arg)
	if err != nil {
		return cli.Interrupted(ctx, err)
	}
	bar := cli.NewProgress(os.Stderr)
	engine, err := flags.open(ctx, bar)
	if err != nil {
		return cli.Interrupted(ctx, err)
	}
	req, policy, err := flags.request(engine)
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	req.Prompt, req.Raw = before+prompt, raw

	emit := func(text string) error {
		_, err := io.WriteString(cli.Stdout, text)
		return err
	}
	if asJSON {
		emit = nil
	} else if err := printMemory(cli.Stderr, engine); err != nil {
		return errors.Join(err, engine.Close())
	}
	if err := prepare(ctx, cli.Stderr, engine, &req); err != nil {
		return errors.Join(cli.Interrupted(ctx, err), engine.Close())
	}
	result, err := engine.Generate(ctx, req, emit)
	err = cli.Interrupted(ctx, err)
	if flags.throttle != nil {
		cli.PrintOverrun(cli.Stderr, flags.throttle.Stats())
	}
	if result.Tokens > 0 {
		output := runOutput{result, policy, flags.prune.String()}
		if asJSON {
			err = errors.Join(err, cli.PrintJSON(output))
		} else {
			fmt.Fprintln(cli.Stdout)
			printStatistics(output)
		}
		printCut(cli.Stderr, engine, result)
	}
	return errors.Join(err, engine.Close())
}

// printCut says what ended a text before the model did.
func printCut(out io.Writer, e *lever.Engine, r lever.Result) {
	switch r.Finish {
	case spec.FinishLength:
		fmt.Fprintf(out, "(cut after %s: --max-tokens allows more, and 0 as many as the model wants)\n", plural.Of(r.Tokens, "token"))
	case spec.FinishContext:
		full := plural.Of(e.Context(), "token")
		if limit := e.Model().MaxPositions; e.Context() < limit {
			fmt.Fprintf(out, "(cut: the context of %s is full; --context makes room for up to %d, where memory allows it)\n", full, limit)
		} else {
			fmt.Fprintf(out, "(cut: the context of %s is full, and the model allows no more)\n", full)
		}
	}
}

func printStatistics(r runOutput) {
	fmt.Fprintf(cli.Stderr, "\n%s in %.2f s: %.1f tokens/s after %.2f s for %s",
		plural.Of(r.Tokens, "token"), r.Seconds, r.TokensPerSecond, r.PrefillSeconds, plural.Of(r.PromptTokens, "prompt token"))
	fmt.Fprintf(cli.Stderr, "\n%s of the target, %.2f tokens each (policy %s: %d drafted", plural.Of(r.Passes, "pass"), r.AcceptedPerPass, r.Policy, r.Drafted)
	if r.Pruned > 0 {
		fmt.Fprintf(cli.Stderr, ", %d dropped half-way, %d of them wrongly: %.0f%% of the work saved", r.Pruned, r.WronglyPruned, 100*float64(r.RowLayersSaved)/float64(r.RowLayers))
	}
	fmt.Fprint(cli.Stderr, ")")
	fmt.Fprintf(cli.Stderr, "\ntarget %.2f s, draft %.2f s", r.ComputeSeconds, r.DraftSeconds)
	if r.BytesRead > 0 {
		fmt.Fprintf(cli.Stderr, "; read %s from flash in %.2f s (%s), waited %.2f s for it", cli.FormatBytes(r.BytesRead), r.IOSeconds, r.IOMode, r.IOWaitSeconds)
	}
	printNPU(r.NPUStats)
	fmt.Fprintf(cli.Stderr, "\npeak memory %s, kernels %s\n", cli.FormatBytes(r.PeakRSS), r.Kernels)
}
