package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
)

// Every flag of every command that takes a number refuses what is none, and what can't be meant, as a mistake of usage that names the flag.
func TestNumbersOutOfRange(t *testing.T) { clitest.CheckNumbers(t, newRootCommand, 100) }

func TestNumbersThatCantBeMeant(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"run --threads 99999999 x", "--threads"},
		{"run --seed -1 x", `--seed takes a whole number from 0 up, not "-1"`},
		{"run --temperature NaN x", "--temperature takes a finite number from 0 up, not NaN"},
		{"run --top-p 2 x", "--top-p 2"},
		{"run --min-p -1 x", "--min-p"},
		{"run --presence-penalty 3 x", "--presence-penalty"},
		{"run --frequency-penalty NaN x", "--frequency-penalty"},
		{"run --repeat-penalty 0 x", "--repeat-penalty 0 is not between 0.01 and 100"},
		{"run --repeat-penalty -1 x", "--repeat-penalty -1 is not between 0.01 and 100"},
		{"run --max-tokens 1 --presence-penalty -1 --logit-bias 999999=1 x", "--logit-bias 999999=1: the model's tokens have the ids from 0 to "},
		{"run --repeat-last-n -1 x", "--repeat-last-n"},
		{"run --logit-bias 5 x", "--logit-bias 5 is not TOKEN=BIAS"},
		{"run --logit-bias 5=NaN x", "--logit-bias"},
		{"run --budget 128 x", "--budget"},
		{"serve --queue 9223372036854775807", "--queue"},
		{"serve --clients 0", "--clients"},
	} {
		got := clitest.Execute(t, strings.Fields(test.args)...)
		if got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, test.says) || clitest.NotOfTheCommandLine.MatchString(got.Stderr) {
			t.Errorf("%s: status %d, %q", test.args, got.Status, got.Stderr)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"run --policy", "opttree"}, {"chat --kv", "q4_0"}, {"serve --npu", "host"}, {"convert --type", "q4_0"}, {"run --model", "gguf"},
		{"run --flash-profile", "ufs-4.0"}, {"convert", "gguf"}, {"run --dram", "auto"},
	} {
		got := clitest.MustSucceed(t, append(append([]string{"__complete"}, strings.Fields(test.args)...), "")...)
		if !strings.Contains(got.Stdout, test.want+"\n") {
			t.Errorf("%s completes to %q, want %s in it", test.args, got.Stdout, test.want)
		}
	}
	if got := clitest.MustSucceed(t, "completion", "bash"); !strings.Contains(got.Stdout, "bash completion") {
		t.Errorf("completion bash prints %.100q", got.Stdout)
	}
}

func TestVersion(t *testing.T) {
	first, second := clitest.MustSucceed(t, "version").Stdout, clitest.MustSucceed(t, "--version").Stdout
	if first != second || !regexp.MustCompile(`^lever version \S+.*, go1\.\S+, \w+/\w+, kernels \w+\n$`).MatchString(first) {
		t.Errorf("version prints %q, --version %q", first, second)
	}
}
