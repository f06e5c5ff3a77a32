// Package cli is what the programs lever and lever-bench share: how a command line is run and what is wrong with it is said, values of flags,
// the models that are meant, and what goes to a terminal.
package cli

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

// What a program exits with where it fails, and where the command line could not be understood.
const (
	ExitFailure = 1
	ExitUsage   = 2
)

// Run runs one command line of a program and returns its exit status. Its commands get a context that ends with the first interrupt, so that
// text and statistics are kept; a second one kills. The function nextStep says what a user can do about an error, or nothing.
func Run(root *cobra.Command, args []string, nextStep func(error) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(Stderr, "%s: %s\n", root.Name(), ErrorText(err))
	if step := nextStep(err); step != "" {
		fmt.Fprintln(Stderr, step)
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(Stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return ExitUsage
	}
	return ExitFailure
}

// Prepare sets up a program's root command, to which all other commands were added: version, output, errors and completion. The word what
// names its commands in the error about one that does not exist.
func Prepare(root *cobra.Command, what string) {
	root.Version = VersionText()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return UsageErrorf("unknown %s %q; choose from %s", what, Shortened(args[0]), strings.Join(commandNames(cmd), ", "))
		}
		return nil
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return checkNumbers(cmd.Flags()) }
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.SetOut(Stdout)
	root.SetErr(Stderr)
	root.SetFlagErrorFunc(flagError)
	completeFlags(root)
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

// UsageError marks an error as one that the writing of the command line caused.
func UsageError(err error) error { return usageError{err} }

// UsageErrorf is [fmt.Errorf] for errors that the writing of the command line caused.
func UsageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ExactArgs demands n arguments, which are what.
func ExactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return UsageErrorf("%s takes %s; it got %d", cmd.Name(), what, len(args))
		}
		return nil
	}
}

// MaxArgs allows no more than n arguments, which are what.
func MaxArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return UsageErrorf("%s takes %s; it got %d", cmd.Name(), what, len(args))
		}
		return nil
	}
}

// Interrupted returns err, in fewer words where it says that ctx was cancelled.
func Interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted")
	}
	return err
}
