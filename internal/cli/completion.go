package cli

import (
	"github.com/spf13/cobra"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/kernels/npu"
)

// completeFlags lets shells complete the values of flags that cmd and its commands have.
func completeFlags(cmd *cobra.Command) {
	fixed := map[string][]string{
		"policy": lever.PolicyNames(), "npu": npu.Drivers(), "kv": {"f16", "q8_0", "q4_0", "f32"}, "type": append(StoreTypes(), MixNames()...), "prune": {"auto", "off"}, "dram": {"auto"},
	}
	for name, values := range fixed {
		if cmd.Flags().Lookup(name) != nil {
			register(cmd, name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	for _, name := range []string{"model", "draft"} {
		if cmd.Flags().Lookup(name) != nil {
			register(cmd, name, CompleteModel)
		}
	}
	if cmd.Flags().Lookup("flash-profile") != nil { // a name or a file
		register(cmd, "flash-profile", cobra.FixedCompletions(flashsim.ProfileNames(), cobra.ShellCompDirectiveDefault))
	}
	for _, c := range cmd.Commands() {
		completeFlags(c)
	}
}

func register(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag
	}
}

// CompleteModel completes folders and GGUF files.
func CompleteModel(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"gguf"}, cobra.ShellCompDirectiveFilterFileExt
}

// CompleteArgument completes the argument at an index by what is there for it; others are of no kind that a shell knows.
func CompleteArgument(at int, complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) != at {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, toComplete)
	}
}

// CompleteStore completes folders.
func CompleteStore(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
