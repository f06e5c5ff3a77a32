package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/spf13/cobra"
)

func newRunCommand() *cobra.Command {
	var flags modelFlags
	var raw, asJSON bool
	cmd := &cobra.Command{
		Use:   "run PROMPT",
		Short: "Answer one prompt",
		Long: `Answer one prompt. Text streams to standard output, statistics go to standard error.

Without --model a pair of tiny demo models, embedded in this program, answers. They have the right shape and the wrong facts.`,
		Example: `  lever run "Janet has 3 ducks. How many eggs does she get?"
  lever run --model llama-8b.lever --draft llama-1b.lever --dram 2GiB "Why is the sky blue?"
  lever run --raw --max-tokens 100 "def fibonacci(n):"
  lever run - < question.txt`,
		Args:              exactArgs(1, "one prompt, in quotes, or - for standard input"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			return runPrompt(cmd.Context(), flags, args[0], raw, asJSON)
		},
	}
	flags.register(cmd.Flags())
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

func runPrompt(ctx context.Context, flags modelFlags, arg string, raw, asJSON bool) error {
	prompt, err := readPrompt(ctx, arg)
	if err != nil {
		return interrupted(ctx, err)
	}
	bar := newProgress(os.Stderr)
	engine, err := flags.open(ctx, bar)
	if err != nil {
		return interrupted(ctx, err)
	}
	req, policy, err := flags.request(engine)
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	req.Prompt, req.Raw = prompt, raw

	emit := func(text string) error {
		_, err := io.WriteString(stdout, text)
		return err
	}
	if asJSON {
		emit = nil
	} else if plan, ok := engine.Plan(); ok {
		if err := printPlan(stderr, plan); err != nil {
			return errors.Join(err, engine.Close())
		}
	}
	if err := prepare(ctx, stderr, engine, &req); err != nil {
		return errors.Join(interrupted(ctx, err), engine.Close())
	}
	result, err := engine.Generate(ctx, req, emit)
	err = interrupted(ctx, err)
	if result.NoPruning != "" && flags.prune != lever.PruneOff {
		fmt.Fprintf(stderr, "lever: pruning is off: %s\n", result.NoPruning)
	}
	if flags.throttle != nil {
		printOverrun(stderr, flags.throttle.Stats())
	}
	if result.Passes > 0 {
		output := runOutput{result, policy, flags.prune.String()}
		if asJSON {
			err = errors.Join(err, printJSON(output))
		} else {
			fmt.Fprintln(stdout)
			printStatistics(output)
		}
		printCut(stderr, result)
	}
	return errors.Join(err, engine.Close())
}

// printCut says what ended a text before the model did.
func printCut(out io.Writer, r lever.Result) {
	switch r.Finish {
	case spec.FinishLength:
		fmt.Fprintf(out, "(cut after %d tokens: --max-tokens allows more, and 0 as many as the model wants)\n", r.Tokens)
	case spec.FinishContext:
		fmt.Fprintf(out, "(cut: the context of %d tokens is full; --context makes room for more, where memory and the model allow it)\n", r.PromptTokens+r.Tokens-1)
	}
}

// interrupted replaces err by a short message where it comes from the user's interrupt.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted")
	}
	return err
}

func printStatistics(r runOutput) {
	fmt.Fprintf(stderr, "\n%d tokens in %.2f s: %.1f tokens/s after %.2f s for %d prompt tokens",
		r.Tokens, r.Seconds, r.TokensPerSecond, r.PrefillSeconds, r.PromptTokens)
	fmt.Fprintf(stderr, "\n%d passes of the target, %.2f tokens each (policy %s: %d drafted", r.Passes, r.AcceptedPerPass, r.Policy, r.Drafted)
	if r.Pruned > 0 {
		fmt.Fprintf(stderr, ", %d dropped half-way, %d of them wrongly: %.0f%% of the work saved", r.Pruned, r.WronglyPruned, 100*float64(r.RowLayersSaved)/float64(r.RowLayers))
	}
	fmt.Fprint(stderr, ")")
	fmt.Fprintf(stderr, "\ntarget %.2f s, draft %.2f s", r.ComputeSeconds, r.DraftSeconds)
	if r.BytesRead > 0 {
		fmt.Fprintf(stderr, "; read %s from flash in %.2f s (%s), waited %.2f s for it", formatBytes(r.BytesRead), r.IOSeconds, r.IOMode, r.IOWaitSeconds)
	}
	printNPU(r.NPUStats)
	fmt.Fprintf(stderr, "\npeak memory %s, kernels %s\n", formatBytes(r.PeakRSS), r.Kernels)
}

// printJSON writes v as one indented JSON object to standard output.
func printJSON(v any) error {
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
