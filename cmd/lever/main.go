// Command lever runs large language models from a chunked flash store with speculative decoding.
//
// Text goes to standard output, everything else to standard error. The exit status is 0 on success, 1 on failure and 2 when
// the command line could not be understood.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes one command line and returns the exit status.
func run(args []string) int {
	// The first interrupt cancels, so that text and statistics are kept; a second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "lever:", errorText(err))
	if step := nextStep(err); step != "" {
		fmt.Fprintln(stderr, step)
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailure
}

func newRootCommand() *cobra.Command {
	cobra.EnableCommandSorting = false // help lists commands as they are added: what is used first or belongs together
	root := &cobra.Command{
		Use:   "lever",
		Short: "Run large language models from flash with speculative decoding",
		Long: `Run large language models from flash with speculative decoding.

A pair of tiny demo models is embedded in this program, so that all can be tried at once: 'lever run "Janet has 3 ducks."' answers a
prompt, 'lever chat' talks. 'lever pull' downloads a model, 'lever convert' makes a store of it, and --model names one.`,
		Example: `  lever run "Janet has 3 ducks. How many eggs does she get?"
  lever chat
  lever pull Qwen/Qwen3-0.6B
  lever convert Qwen3-0.6B qwen3-0.6b.lever
  lever chat --model qwen3-0.6b.lever --dram 512MiB`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf("unknown command %q; choose from %s", shortened(args[0]), strings.Join(commandNames(cmd), ", "))
			}
			return nil
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkNumbers(cmd.Flags()) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetVersionTemplate("lever {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newRunCommand(), newChatCommand(), newServeCommand(), newPullCommand(), newConvertCommand(), newInspectCommand(), newVerifyCommand(),
		newProfileCommand(), newDistillCommand(), newBenchCommand(), newVersionCommand())
	completeFlags(root)
	return root
}

func commandNames(cmd *cobra.Command) (names []string) {
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// usageError marks an error that the writing of the command line caused.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exactArgs demands n arguments, which are what.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageErrorf("%s takes %s; it got %d", cmd.Name(), what, len(args))
		}
		return nil
	}
}
