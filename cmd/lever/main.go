// Command lever runs large language models from a chunked flash store with speculative decoding.
//
// Text goes to standard output, everything else to standard error. The exit status is 0 on success, 1 on failure and 2 when
// the command line could not be understood.
package main

import (
	"os"

	"github.com/lever-go/lever/internal/cli"
	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes one command line and returns the exit status.
func run(args []string) int { return cli.Run(newRootCommand(), args, cli.NextStep) }

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
	}
	root.AddCommand(newRunCommand(), newChatCommand(), newServeCommand(), newTopCommand(), newPullCommand(), newConvertCommand(), newInspectCommand(), newVerifyCommand(),
		newProfileCommand(), newDoctorCommand(), newDistillCommand(), newBenchCommand(), newVersionCommand())
	cli.Prepare(root, "command")
	return root
}
